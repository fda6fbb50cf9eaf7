"""What --cam writes: overlays, and Grad-CAM volumes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serve.overlays import VOLUME, Overlays, is_overlay, overlay_name


@pytest.fixture
def folder(scans, tmp_path) -> Path:
    here = tmp_path / "scans"
    here.mkdir()
    for scan in scans:
        shutil.copy(scan, here)
    return here


def test_overlays_are_never_taken_for_scans(cli, folder, scans):
    for _ in range(2):
        status, lines, errors = cli("--cam", folder, folder)
        assert (status, len(lines), errors) == (0, len(scans), [])
    overlays = sorted(folder.glob("*.png"))
    assert len(overlays) == len(scans)
    assert all(map(is_overlay, overlays))
    assert cli(folder / "*.png", scans[0])[::2] == (0, ["8 files skipped: 8 overlays"])
    assert cli(folder / "*.png")[0] == 2
    shutil.copy(overlays[0], folder / "copy.PNG")
    assert len(cli(folder)[1]) == len(scans)


def test_a_scan_that_vanishes_before_it_is_drawn_is_one_line(cli, folder, tmp_path, monkeypatch):
    draw = Overlays.draw

    def vanishing(self, one):
        if one.found.name.endswith("0016.jpg"):
            Path(one.found.name).unlink()
        return draw(self, one)

    monkeypatch.setattr(Overlays, "draw", vanishing)
    table = tmp_path / "answers.csv"
    status, _, errors = cli("--cam", tmp_path / "maps", "--csv", table, folder)
    assert (status, errors) == (1, [f"{folder / 'Te-me_0016.jpg'}: no overlay: no such file"])
    assert len(list((tmp_path / "maps").iterdir())) == 7
    assert table.read_bytes().count(b"\r\n") == 9


def test_a_scan_named_twice_is_drawn_without_a_quarrel(cli, scans, tmp_path):
    assert cli("--cam", tmp_path, *[scans[0]] * 8)[::2] == (0, [])
    assert [path.name for path in tmp_path.iterdir()] == [overlay_name(str(scans[0]))]


def test_the_names_of_overlays():
    assert overlay_name("-") == "stdin.png"
    assert overlay_name("a/scan.jpg") != overlay_name("b/scan.jpg")
    name = overlay_name("a/brain.nii.gz", 7)
    assert name.startswith("brain-007-")
    assert name.endswith(".png")


@pytest.fixture
def volume(scans, tmp_path) -> Path:
    """A NIfTI volume of a tumour and healthy slices, in an orientation of its own."""
    nibabel = pytest.importorskip("nibabel", reason="needs nibabel")
    chosen = [scans[i] for i in (4, 4, 2, 2, 2, 5, 5)]
    slices = [np.asarray(Image.open(s).convert("L").resize((128, 128))) for s in chosen]
    upright = np.stack(slices).transpose(2, 1, 0)[::-1, ::-1]  # right to left, back to front
    affine = np.diag([1.5, 1.5, 4, 1])
    path = tmp_path / "brain.nii.gz"
    nibabel.save(nibabel.Nifti1Image(upright.astype(np.int16), affine), path)
    return path


def test_a_volume_gets_a_map_in_its_own_space(cli, volume, tmp_path):
    nibabel = pytest.importorskip("nibabel", reason="needs nibabel")
    for _ in range(2):
        status, lines, errors = cli("--cam", tmp_path, "--axis", "axial", tmp_path)
        assert (status, errors) == (0, [])
        assert len(lines) == 7 + 1
    assert lines[-1].startswith(f"{volume}: NIfTI volume, 7 slices: ")
    (written,) = tmp_path.glob(f"brain-*{VOLUME}")
    assert is_overlay(written)
    scan, maps = nibabel.load(volume), nibabel.load(written)
    assert maps.shape == scan.shape
    np.testing.assert_allclose(maps.affine, scan.affine)
    found = np.asarray(maps.dataobj)
    assert 0 <= found.min() <= found.max() <= 1
    heat = found.max(axis=(0, 1))
    assert set(np.argsort(heat)[-3:]) == {2, 3, 4}
    assert heat[[0, 1, 5, 6]].max() < 0.5 < heat[[2, 3, 4]].min()
    assert len(list(tmp_path.glob("brain-0*.png"))) == 7
