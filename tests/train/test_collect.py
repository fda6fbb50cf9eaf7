"""python -m train.collect: downloads, made here of the real pictures, give back their tables."""

from __future__ import annotations

import csv
import json
import shutil
from collections import defaultdict
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from tests.conftest import BR35H, DATASET, PATIENTS, SHARED, SLICES, needs_dataset, run
from train.collect import main

DATA = SHARED / "data"
COLLECTIONS = DATA / "collections"
CODES = {"meningioma": 1, "glioma": 2, "pituitary": 3}
EDGES = ("x_min", "y_min", "x_max", "y_max")
needs_collections = pytest.mark.skipif(
    not COLLECTIONS.is_dir(), reason="needs the collections in ../shared/data"
)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def grey(path: Path) -> Image.Image:
    return Image.open(path).convert("L")


def write_mat(path: Path, image: np.ndarray, mask: np.ndarray, patient: str, label: int) -> None:
    """As MATLAB 7.3 would: columns before rows."""
    with h5py.File(path, "w") as file:
        data = file.create_group("cjdata")
        data["image"] = (image.astype(np.int16) * 13 + 5).T
        data["tumorMask"] = mask.astype(np.uint8).T
        data["PID"] = np.array([[ord(letter)] for letter in patient], np.uint16)
        data["label"] = np.array([[label]], np.float64)
        data["tumorBorder"] = np.zeros((1, 4))


@pytest.fixture(scope="module")
def kaggle(tmp_path_factory) -> Path:
    """213 scans that are slices, of all tumours, and their like that are none."""
    folder = tmp_path_factory.mktemp("kaggle")
    rows = read(SLICES)[::22]
    names = [f"{row['split']}/{row['class']}/{row['file']}" for row in rows]
    names += [f"Training/notumor/{p.name}" for p in sorted(DATASET.glob("Training/notumor/*"))[:30]]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(DATASET / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def figshare(tmp_path_factory) -> Path:
    """The slices of those scans, and cvind.mat; turned back where the scan is their mirror."""
    folder = tmp_path_factory.mktemp("figshare")
    part = folder / "brainTumorDataPublic_1-766"
    part.mkdir()
    patients = {row["figshare_index"]: row for row in read(PATIENTS)}
    for row in read(SLICES)[::22]:
        image = grey(DATASET / row["split"] / row["class"] / row["file"]).resize((512, 512))
        pixels = np.asarray(image)
        pixels = pixels[:, ::-1] if row["mirrored"] == "1" else pixels
        index = row["figshare_index"]
        mask = Image.open(DATA / "figshare_masks" / f"{index}.png").resize((512, 512))
        patient = patients[index]["patient_id"]
        label = CODES[row["figshare_class"]]
        write_mat(part / f"{index}.mat", pixels, np.asarray(mask), patient, label)
    with h5py.File(folder / "cvind.mat", "w") as file:
        folds = [int(patients[str(index)]["author_fold"]) for index in range(1, 3065)]
        file["cvind"] = np.array([folds], np.float64).T
    return folder


@pytest.fixture(scope="module")
def br35h(tmp_path_factory) -> Path:
    """Sixty tumours, and a mask as an outline of the VGG Image Annotator."""
    folder = tmp_path_factory.mktemp("br35h")
    (folder / "yes").mkdir()
    for row in read(BR35H / "br35h_tumour.csv")[::25]:
        shutil.copy(BR35H / "images" / row["file"], folder / "yes" / row["file"])
    entry = {
        "filename": "y0.jpg",
        "size": 1,
        "regions": [
            {"shape_attributes": {"name": "ellipse", "cx": 100, "cy": 80, "rx": 20, "ry": 10}},
            {"shape_attributes": {"name": "circle", "cx": 50, "cy": 150, "r": 5}},
            {
                "shape_attributes": {
                    "name": "polygon",
                    "all_points_x": [150, 170, 170, 150],
                    "all_points_y": [150, 150, 160, 160],
                }
            },
        ],
    }
    (folder / "annotations_all.json").write_text(json.dumps({"y0.jpg1": entry}), encoding="utf-8")
    return folder


def collect(output: Path, **folders: Path) -> int:
    options = [word for name, f in folders.items() for word in (f"--{name}", str(f))]
    return main(["--output", str(output), *options])


@needs_dataset
def test_figshare_slices_masks_and_patients_are_given_back(tmp_path, kaggle, figshare):
    assert collect(tmp_path, kaggle=kaggle, figshare=figshare) == 0
    expected = {(r["split"], r["file"]): r for r in read(SLICES)[::22]}
    found = {(r["split"], r["file"]): r for r in read(tmp_path / "figshare_slices.csv")}
    assert len(expected) > 200
    assert found.keys() == expected.keys()
    for key, row in found.items():
        other = expected[key]
        for column in ("class", "figshare_index", "mirrored", "figshare_class"):
            assert row[column] == other[column], key
        for edge in EDGES:
            assert float(row[edge]) == pytest.approx(float(other[edge]), abs=0.0115), (key, edge)
        assert float(row["correlation"]) > 0.99
    patients = {r["figshare_index"]: r for r in read(PATIENTS)}
    for row in read(tmp_path / "figshare_patients.csv"):
        assert row == patients[row["figshare_index"]]
    for row in expected.values():
        mask = f"figshare_masks/{row['figshare_index']}.png"
        ours, theirs = (np.asarray(Image.open(place / mask)) for place in (tmp_path, DATA))
        assert ours.dtype == bool
        assert (ours == theirs).mean() > 0.99


@needs_dataset
def test_the_whole_table_is_unchanged_by_a_second_run(tmp_path, kaggle, figshare, capsys):
    assert collect(tmp_path, figshare=figshare) == 0
    said = capsys.readouterr().out
    assert "figshare_slices.csv: left out, it needs --kaggle, from kaggle datasets" in said
    assert said.count("left out") == 5
    masks = tmp_path / "figshare_masks"
    before = {path: path.stat().st_mtime_ns for path in masks.iterdir()}
    (tmp_path / "figshare_patients.csv").unlink()
    gone = next(iter(before))
    gone.unlink()
    assert collect(tmp_path, figshare=figshare) == 0
    assert gone.exists()
    assert all(path.stat().st_mtime_ns == before[path] for path in before if path != gone)
    capsys.readouterr()
    assert collect(tmp_path, figshare=figshare) == 0
    assert "figshare_patients.csv: is there already" in capsys.readouterr().out


@needs_dataset
def test_br35h_and_its_copies_are_given_back(tmp_path, kaggle, br35h):
    scans = {row["kaggle_duplicate"] for row in read(BR35H / "br35h_tumour.csv")[::25]} - {""}
    more = tmp_path / "kaggle"
    shutil.copytree(kaggle, more)
    for name in scans:
        (more / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(DATASET / name, more / name)
    assert collect(tmp_path, kaggle=more, br35h=br35h) == 0
    expected = read(BR35H / "br35h_tumour.csv")[::25]
    found = read(tmp_path / "br35h_tumour" / "br35h_tumour.csv")
    assert [row["file"] for row in found] == [row["file"] for row in expected]
    for row, other in zip(found, expected, strict=True):
        assert row["kaggle_duplicate"] == other["kaggle_duplicate"]
        assert row["mask"] == str(int(row["file"] == "y0.jpg"))
    mask = np.asarray(Image.open(tmp_path / "br35h_tumour" / "masks" / "y0.png"))
    assert mask[80, 100] and mask[150, 50] and mask[155, 160] and not mask[10, 10]


@needs_collections
def test_tcga_lgg_is_given_back(tmp_path):
    rows = [r for r in read(COLLECTIONS / "collections.csv") if r["collection"].startswith("tcga")]
    few = sorted({row["group"] for row in rows})[:110:10]
    rows = [row for row in rows if row["group"] in few]
    slices = defaultdict(dict)
    for row in rows:
        slices[row["group"], Path(row["file"]).stem][row["collection"]] = row
    for (group, stem), channels in slices.items():
        patient, number = stem.rsplit("_", 1)
        folder = tmp_path / "kaggle_3m" / group
        folder.mkdir(parents=True, exist_ok=True)
        flair, t1c = (
            grey(COLLECTIONS / channels[name]["file"]) if name in channels else Image.new("L", size)
            for name, size in (("tcga_lgg_flair", (224, 224)), ("tcga_lgg_t1c", (224, 224)))
        )
        picture = Image.merge("RGB", (t1c, flair, t1c)).resize((256, 256))
        picture.save(folder / f"{patient}_{int(number)}.tif")
        masked = next((row["mask"] for row in channels.values() if row["mask"]), "")
        mask = Image.open(COLLECTIONS / masked) if masked else Image.new("1", (224, 224))
        mask.resize((256, 256)).convert("L").save(folder / f"{patient}_{int(number)}_mask.tif")
    assert collect(tmp_path, **{"tcga-lgg": tmp_path / "kaggle_3m"}) == 0
    found = read(tmp_path / "collections" / "collections.csv")
    assert all(row in rows for row in found)
    missing = [row for row in rows if row not in found]
    assert len(missing) <= 0.01 * len(rows), missing
    assert {row["class"] for row in missing} <= {"tumour_free"}, "nothing to see on them"
    for row in found[::20]:
        ours, theirs = (
            grey(place / row["file"]) for place in (tmp_path / "collections", COLLECTIONS)
        )
        assert np.abs(np.asarray(ours, float) - np.asarray(theirs, float)).mean() < 3


@needs_dataset
@needs_collections
def test_feltrin44_and_pmram_are_given_back(tmp_path, kaggle):
    rows = read(COLLECTIONS / "collections.csv")
    theirs = [row for row in rows if row["collection"] == "feltrin44"][::80]
    copies = [row for row in rows if row["collection"] == "pmram"][::80]
    feltrin, pmram, more = (tmp_path / name for name in ("feltrin44", "pmram", "kaggle"))
    shutil.copytree(kaggle, more)
    for row in theirs:
        kind, name = Path(row["file"]).name.split("__", 1)
        kind = kind.replace("_", " ")
        folder = feltrin / (f"_{kind}" if kind.startswith("NORMAL") else kind)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(COLLECTIONS / row["file"], folder / name)
    stolen = feltrin / "Meningioma T2" / "stolen.jpg"
    shutil.copy(next((more / "Training" / "meningioma").iterdir()), stolen)
    for row in copies:
        label = {"notumor": "Normal"}.get(row["class"], row["class"].title())
        folder = pmram / "Raw" / f"512{label}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(COLLECTIONS / row["file"], folder)
        if row["copy_of"]:
            scan = row["copy_of"].removeprefix("brain_tumor_mri/")
            (more / scan).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(DATASET / scan, more / scan)
    assert collect(tmp_path / "out", kaggle=more, feltrin44=feltrin, pmram=pmram) == 0
    found = read(tmp_path / "out" / "collections" / "collections.csv")
    kept = ("collection", "class", "file", "mask")
    expected = sorted(tuple(row[column] for column in kept) for row in [*theirs, *copies])
    assert sorted(tuple(row[column] for column in kept) for row in found) == expected
    copy_of = {row["file"]: row["copy_of"] for row in found}
    assert not any(copy_of[row["file"]] for row in theirs)
    named = [row for row in copies if row["copy_of"]]
    right = sum(copy_of[row["file"]] == row["copy_of"] for row in named)
    assert right >= 0.9 * len(named)
    for row in found:
        assert (tmp_path / "out" / "collections" / row["file"]).exists()


def test_what_is_missing_is_said_and_the_rest_is_done(tmp_path, capsys):
    (tmp_path / "1.mat").write_bytes(b"no slice")
    status = collect(tmp_path / "out", figshare=tmp_path, **{"tcga-lgg": tmp_path / "nowhere"})
    out, err = capsys.readouterr()
    assert status == 1
    lines = err.strip().splitlines()
    assert [line.split(": error: ")[0] for line in lines] == [
        "figshare_patients.csv",
        "collections/tcga_lgg_flair",
    ]
    assert "no such folder" in lines[1]
    assert out.count("left out, it needs") == 4
    assert "kaggle datasets download fernando2rad/brain-tumor-mri-images-44c" in out


def test_every_option_says_where_the_download_is():
    done = run("-m", "train.collect", "--help")
    assert done.returncode == 0
    for source in ("10.6084/m9.figshare.1512427", "10.17632/m7w55sw88b", "lgg-mri-segmentation"):
        assert source in "".join(done.stdout.split())
