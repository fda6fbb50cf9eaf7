"""Other hospitals' scans: what is read, what is left out, and that no group is in two folds."""

from __future__ import annotations

import csv
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serve.command import UserError
from serve.names import INPUT_SIZE, LABELS, NOTUMOR
from tests.conftest import BR35H, COLLECTIONS, DATASET, needs_collections, needs_dataset
from train.data.collections import (
    Collected,
    collection_of,
    place_all,
    read_br35h_collection,
    read_collections,
)
from train.data.dataset import UNKNOWN_TUMOUR, Scan, find_scans
from train.data.folds import FOLDS, read_folds

COLUMNS = ("collection", "class", "file", "group", "copy_of", "mask")
CLASSES = ("glioma", "glioma", "glioma", "tumour_free", "other_tumour")


@pytest.fixture
def rows() -> list[dict[str, str]]:
    """Thirty scans of two collections, three of a group; the first has a mask."""
    return [
        {
            "collection": name,
            "class": CLASSES[i % len(CLASSES)],
            "file": f"{name}/{i:02}.jpg",
            "group": f"{name}_{i // 3}",
            "copy_of": "",
            "mask": "" if i else f"masks/{name}.png",
        }
        for name in ("here", "there")
        for i in range(15)
    ]


@pytest.fixture
def made(tmp_path, scans) -> Callable[..., Path]:
    """The folder of a table of such rows, with the examples as their pictures."""

    def make(rows: list[dict[str, str]], columns: tuple[str, ...] = COLUMNS) -> Path:
        for number, row in enumerate(rows):
            for path in (tmp_path / row["file"], tmp_path / "masks" / "any"):
                path.parent.mkdir(exist_ok=True)
            shutil.copy(scans[number % len(scans)], tmp_path / row["file"])
            if row["mask"]:
                Image.fromarray(DISK).save(tmp_path / row["mask"])
        with (tmp_path / "collections.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        return tmp_path

    return make


DISK = np.hypot(*(np.indices((INPUT_SIZE, INPUT_SIZE)) - 100)) < 20


def test_classes_groups_and_outlines_are_read(made, rows):
    found = read_collections(made(rows))
    assert Counter(map(collection_of, found.scans)) == {"here": 15, "there": 15}
    labels = [LABELS.index("glioma")] * 3 + [NOTUMOR, UNKNOWN_TUMOUR]
    assert [scan.label for scan in found.scans] == labels * 6
    assert [found.placed[scan.name].person for scan in found.scans] == [r["group"] for r in rows]
    assert found.outlines.keys() == {"here/glioma/00.jpg", "there/glioma/00.jpg"}
    assert np.array_equal(found.outlines["here/glioma/00.jpg"].mask(), DISK)
    assert {scan.name: scan.label for scan in found.scans}.items() == {
        (name, at.label) for name, at in found.placed.items()
    }


def test_a_collection_with_a_copy_is_left_out_as_a_whole(made, rows):
    rows[20]["copy_of"] = "Training/glioma/Tr-gl_0010.jpg"
    found = read_collections(made(rows))
    assert {collection_of(scan) for scan in found.scans} == {"here"}
    assert len(found.placed) == 15
    assert found.outlines.keys() == {"here/glioma/00.jpg"}


def test_groups_are_placed_whole_also_across_collections(made, rows):
    for row in rows:
        row["group"] = row["group"].removeprefix("here_").removeprefix("there_")
    found = read_collections(made(rows))
    assert one_fold_a_group(found)
    assert {at.fold for at in found.placed.values()} == set(range(FOLDS))


def one_fold_a_group(found: Collected) -> bool:
    folds = defaultdict(set)
    for at in found.placed.values():
        folds[at.person].add(at.fold)
    return all(len(own) == 1 for own in folds.values())


def set_in(number: int, name: str, value: str) -> Callable[[list[dict[str, str]]], None]:
    return lambda rows: rows[number].update({name: value})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (set_in(3, "class", "cat"), "no class is called cat"),
        (set_in(3, "class", ""), "line 5 has no class"),
        (set_in(3, "group", ""), "line 5 has no group"),
        (lambda rows: [row.update(copy_of="x") for row in rows], "names no scan"),
        (lambda rows: rows.clear(), "names no scan"),
        (lambda rows: rows.__delitem__(slice(4, None)), "too few"),
        (set_in(1, "file", "elsewhere/00.jpg"), "two files would be called here/glioma/00.jpg"),
    ],
    ids=["class", "no class", "no group", "copies alone", "empty", "four scans", "namesakes"],
)
def test_a_table_of_no_use_is_an_error_of_one_line(damage, message, made, rows):
    damage(rows)
    with pytest.raises(UserError, match=message) as error:
        read_collections(made(rows))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("column", COLUMNS)
def test_a_missing_column_is_named(column, made, rows):
    folder = made(rows, tuple(name for name in COLUMNS if name != column))
    with pytest.raises(UserError, match=rf"collections\.csv: line 2 has no {column}"):
        read_collections(folder)


def test_a_short_line_is_named(made, rows):
    table = made(rows) / "collections.csv"
    table.write_text(table.read_text(encoding="utf-8") + "here,glioma\n", encoding="utf-8")
    with pytest.raises(UserError, match="line 32 has no file"):
        read_collections(table.parent)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00collection"], ids=["none", "no text"])
def test_no_table_is_an_error(content, tmp_path):
    if content:
        (tmp_path / "collections.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"collections\.csv"):
        read_collections(tmp_path)


def test_a_missing_mask_is_named(made, rows):
    folder = made(rows)
    (folder / rows[0]["mask"]).unlink()
    with pytest.raises(UserError, match=r"here\.png"):
        read_collections(folder)


def test_a_missing_picture_is_said_and_left_out(made, rows, capsys):
    folder = made(rows)
    (folder / rows[1]["file"]).unlink()
    assert len(read_collections(folder).scans) == len(rows) - 1
    assert "01.jpg" in "".join(capsys.readouterr())


def test_copies_in_the_dataset_lend_to_none():
    copied = list(read_folds())[:3]
    placed = place_all(Collected(copied=frozenset(copied)))
    assert [name for name, at in placed.items() if not at.lends] == copied
    assert placed.keys() == read_folds().keys()


def test_the_collections_are_placed_by_group_and_balanced(hospitals):
    """pmram is not among them; a patient's two sequences are in one fold."""
    assert {collection_of(scan) for scan in hospitals.scans} == {
        "feltrin44",
        "tcga_lgg_t1c",
        "tcga_lgg_flair",
        "br35h",
    }
    assert one_fold_a_group(hospitals)
    both = {
        part: {hospitals.placed[s.name].person for s in hospitals.scans if s.part == part}
        for part in ("tcga_lgg_t1c", "tcga_lgg_flair")
    }
    assert len(both["tcga_lgg_t1c"] & both["tcga_lgg_flair"]) == 100
    cells = defaultdict(list)
    for scan in hospitals.scans:
        if scan.part != "br35h":
            cells[scan.part, scan.label].append(hospitals.placed[scan.name].fold)
    for folds in cells.values():
        shares = np.bincount(folds, minlength=FOLDS) / len(folds)
        assert shares.min() > 0.1
        assert shares.max() < 0.3


@pytest.mark.slow
@needs_collections
def test_the_collections_are_read_whole():
    found = read_collections(COLLECTIONS)
    counts = Counter((scan.part, scan.label) for scan in found.scans)
    with (COLLECTIONS / "collections.csv").open(newline="", encoding="utf-8") as file:
        files = {row["file"] for row in csv.DictReader(file) if row["collection"] != "pmram"}
    assert sum(counts.values()) == len(files)
    assert counts["feltrin44", UNKNOWN_TUMOUR] == 1863
    assert counts["tcga_lgg_t1c", NOTUMOR] == 882
    tumours = {s.name for s in found.scans if s.part.startswith("tcga") and s.label != NOTUMOR}
    assert found.outlines.keys() == tumours
    assert all(found.outlines[name].mask().any() for name in sorted(tumours)[::40])


@pytest.mark.slow
@needs_dataset
def test_br35h_is_a_collection_of_tumours_by_look_alikes():
    known = find_scans(DATASET, "Testing")
    found = read_br35h_collection(BR35H, known)
    assert {(scan.part, scan.label) for scan in found.scans} == {("br35h", UNKNOWN_TUMOUR)}
    assert one_fold_a_group(found)
    assert len({at.person for at in found.placed.values()}) < len(found.scans)
    assert found.outlines.keys() < {scan.name for scan in found.scans}
    assert not {scan.digest for scan in known} & {scan.digest for scan in found.scans}
    assert found.copied & {scan.name for scan in known}


def test_the_dataset_is_no_collection():
    assert collection_of(Scan(Path("a.jpg"), "Testing", 0, "")) == ""
    assert collection_of(Scan(Path("a.jpg"), "here", 0, "")) == "here"
