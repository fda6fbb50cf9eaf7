"""Pictures that are no brain MRI, to test a refusal with: python -m train.other_pictures

Gathers what visitors of a public demo upload instead of a scan, as DIR/KIND/NAME.png or .jpg:
photographs, drawings, screenshots, text, plots, blank, noise, handwriting, and medical images of
other kinds. They are for testing only; nothing is to be fitted on them.

Nothing is downloaded. Half of the kinds are made on the spot, always the same, and the others
are taken from packages that ship pictures; what is not installed is named and left out:

    apt-get install --no-install-recommends lomiri-wallpapers-16.04 mate-backgrounds
    apt-get install --no-install-recommends pysiogame wireshark-doc texstudio-doc
    apt-get install --no-install-recommends invesalius-examples
    pip install scikit-image pydicom pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg
    pip install --no-deps mahotas stardist pynetdicom

Exit status: 0, or 1 if fewer than 300 pictures or fewer than 8 kinds of 25 came together.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from serve.command import run
from train.other_pictures.gather import KINDS, gather

MIN_PICTURES = 300
MIN_KINDS = 8
MIN_OF_A_KIND = 25


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.other_pictures", description=__doc__.split(":")[0] + "."
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    args = parser.parse_args(argv)
    counts = gather(list(KINDS), args.output)
    for kind, count in counts.items():
        print(f"{count:5} {kind}")
    kinds = sum(count >= MIN_OF_A_KIND for count in counts.values())
    total = sum(counts.values())
    print(f"{total:5} in all, {kinds} kinds of at least {MIN_OF_A_KIND}")
    return 0 if total >= MIN_PICTURES and kinds >= MIN_KINDS else 1


if __name__ == "__main__":
    sys.exit(run(main))
