"""Everything the training needs, from public downloads: python -m train.collect --output DIR ...

Download and unpack what you want, name its folder, and the command writes

    DIR/figshare_slices.csv    which scan of the Kaggle dataset is which figshare slice, and the
                               tumour's box as fractions of the scan's width and height
    DIR/figshare_masks/N.png   the tumour of slice N, 1 bit, 224x224
    DIR/figshare_patients.csv  whose slice it is, and its fold of the five that the author published
    DIR/br35h_tumour/          the tumours of Br35H, with masks where they are outlined
    DIR/collections/           other hospitals' scans, masks/, and collections.csv

The Kaggle dataset itself is used as it is (--data of the other commands). What is there is left as
it is (to make it anew, delete its table, or its lines of collections.csv); what was interrupted
goes on. train/README.md says where the downloads are, and their terms.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from serve.command import RESUMES, UserError, one_line, run
from serve.names import LABELS
from train.data.br35h_download import collect_br35h
from train.data.collected import Row, add_to_table, read_table
from train.data.copies import KnownScans, grey_levels
from train.data.dataset import DOWNLOAD_HELP, PARTS, Scan, read_scans
from train.data.downloads import collect_feltrin44, collect_pmram, collect_tcga_lgg
from train.data.figshare_mat import (
    MatSlice,
    read_author_folds,
    read_slices_of,
    write_masks,
    write_patients,
    write_slices,
)

KAGGLE = "kaggle datasets download"
SOURCES = {  # option -> where it is
    "--figshare": "https://doi.org/10.6084/m9.figshare.1512427",
    "--kaggle": f"{KAGGLE} masoudnickparvar/brain-tumor-mri-dataset",
    "--br35h": f"{KAGGLE} ahmedhamada0/brain-tumor-detection",
    "--feltrin44": f"{KAGGLE} fernando2rad/brain-tumor-mri-images-44c",
    "--tcga-lgg": f"{KAGGLE} mateuszbuda/lgg-mri-segmentation",
    "--pmram": "https://doi.org/10.17632/m7w55sw88b.1",
}


@dataclass(frozen=True)
class Part:
    """One thing that is made."""

    name: str  # below the output folder
    needs: tuple[str, ...]  # options
    make: Callable[[], int]  # returns how many there are
    is_there: Callable[[], bool]


class Collecting:
    """The parts, and what they share."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._output: Path = args.output
        self._collections = self._output / "collections"

    def parts(self) -> list[Part]:
        """All, those first that others wait for."""
        figshare = ("--figshare", "--kaggle")
        return [
            self._file("figshare_patients.csv", ("--figshare",), self._patients),
            self._file("figshare_slices.csv", figshare, self._slices),
            self._file("br35h_tumour/br35h_tumour.csv", ("--br35h", "--kaggle"), self._br35h),
            self._collection("feltrin44", ("--feltrin44", "--kaggle"), self._feltrin44),
            self._collection("tcga_lgg_flair", ("--tcga-lgg",), self._tcga_lgg),
            self._collection("pmram", ("--pmram", "--kaggle"), self._pmram),
        ]

    def _file(self, name: str, needs: tuple[str, ...], make: Callable[[], int]) -> Part:
        return Part(name, needs, make, (self._output / name).exists)

    def _collection(
        self, name: str, needs: tuple[str, ...], make: Callable[[], Sequence[Row]]
    ) -> Part:
        def added() -> int:
            rows = make()
            add_to_table(self._collections, rows)
            return len(rows)

        def is_there() -> bool:
            return any(row.collection == name for row in read_table(self._collections))

        return Part(f"collections/{name}", needs, added, is_there)

    @cached_property
    def _scans(self) -> list[Scan]:
        """The Kaggle dataset's, of the classes that are there."""
        files = [
            (path, label)
            for part in PARTS
            for label, name in enumerate(LABELS)
            for path in sorted((self._args.kaggle / part / name).glob("[!.]*"))
        ]
        scans = [
            scan
            for part in PARTS
            for scan in read_scans([f for f in files if f[0].parts[-3] == part], part)
        ]
        if not scans:
            raise UserError(f"{self._args.kaggle}: has no scans ({DOWNLOAD_HELP})")
        return scans

    @cached_property
    def _known(self) -> KnownScans:
        return KnownScans(grey_levels(self._scans))

    def _copies_of(self, greys: Sequence[np.ndarray]) -> list[str]:
        matches = self._known.match(greys)
        return [self._scans[match.known].name if match.is_copy else "" for match in matches]

    @cached_property
    def _mat_slices(self) -> list[MatSlice]:
        return read_slices_of(self._args.figshare)

    def _patients(self) -> int:
        folds = read_author_folds(self._args.figshare)
        write_masks(self._mat_slices, self._output / "figshare_masks")
        write_patients(self._mat_slices, folds, self._output / "figshare_patients.csv")
        return len(self._mat_slices)

    def _slices(self) -> int:
        table = self._output / "figshare_slices.csv"
        return write_slices(self._mat_slices, self._scans, table)

    def _br35h(self) -> int:
        folder = self._output / "br35h_tumour"
        return len(collect_br35h(self._args.br35h, folder, self._scans))

    def _feltrin44(self) -> list[Row]:
        return collect_feltrin44(self._args.feltrin44, self._collections, self._copies_of)

    def _tcga_lgg(self) -> list[Row]:
        return collect_tcga_lgg(self._args.tcga_lgg, self._collections)

    def _pmram(self) -> list[Row]:
        return collect_pmram(self._args.pmram, self._collections, self._copies_of)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.collect", description=__doc__.split(":")[0] + "."
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="made if missing")
    for option, source in SOURCES.items():
        parser.add_argument(option, type=Path, metavar="DIR", help=f"unpacked: {source}")
    args = parser.parse_args(argv)
    failed = 0
    for part in Collecting(args).parts():
        try:
            print(f"{part.name}: {_outcome(part, args)}", flush=True)
        except (UserError, OSError) as error:
            print(f"{part.name}: error: {one_line(error)}", file=sys.stderr)
            failed += 1
    return 1 if failed else 0


def _outcome(part: Part, args: argparse.Namespace) -> str:
    if part.is_there():
        return "is there already"
    given = {option: getattr(args, option[2:].replace("-", "_")) for option in part.needs}
    if missing := [option for option, folder in given.items() if folder is None]:
        where = "; ".join(f"{option}, from {SOURCES[option]}" for option in missing)
        return f"left out, it needs {where}"
    for folder in given.values():
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder")
    return f"{part.make():,} written"


if __name__ == "__main__":
    sys.exit(run(main, RESUMES))
