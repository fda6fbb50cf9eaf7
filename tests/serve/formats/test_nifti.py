"""NIfTI volumes are cut into slices as radiologists see them."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest

from serve.formats.raster import InvalidImageError, load_image
from serve.formats.scans import Series, read_scans
from tests.conftest import SHARED

nibabel = pytest.importorskip("nibabel", reason="needs nibabel")

VOLUMES = SHARED / "data" / "volumes"
RIGHT, FRONT, TOP = 60, 120, 240  # levels of marks at these ends of the head


@pytest.fixture(scope="module")
def head() -> np.ndarray:
    """A block of one level with a mark at its right, its front and its top, in RAS+."""
    voxels = np.zeros((40, 48, 32), np.int16)
    voxels[4:36, 4:44, 4:28] = 20
    voxels[30:36, 20:28, 12:20] = RIGHT
    voxels[16:24, 38:44, 12:20] = FRONT
    voxels[16:24, 20:28, 22:28] = TOP
    return voxels


def saved(voxels: np.ndarray, path: Path, affine: np.ndarray | None = None, **header) -> Path:
    image = nibabel.Nifti1Image(voxels, np.eye(4) if affine is None else affine)
    for name, value in header.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


def only(source: object, **options: object) -> Series:
    (series,) = read_scans([source], **options)
    assert isinstance(series, Series), series
    return series


def side_of(pixels: np.ndarray, level: int) -> tuple[float, float]:
    """Where the mark is, from 0 to 1 from the top and from the left."""
    levels = pixels[:, :, 0].astype(int)
    rows, columns = np.nonzero(np.abs(levels - level) <= 3)
    return rows.mean() / levels.shape[0], columns.mean() / levels.shape[1]


def test_axial_slices_have_the_front_up_and_the_patients_left_at_the_right(head, tmp_path):
    series = only(saved(head, tmp_path / "a.nii"), axis="axial")
    assert (series.kind, len(series)) == ("NIfTI volume", 32)
    middle = next(one for one in series if one.index == 16)
    brightest = middle.pixels.max() / FRONT
    assert side_of(middle.pixels, round(FRONT * brightest))[0] < 0.3
    assert side_of(middle.pixels, round(RIGHT * brightest))[1] < 0.3


def test_coronal_and_sagittal_slices(head, tmp_path):
    path = saved(head, tmp_path / "a.nii")
    coronal = next(one for one in only(path, axis="coronal") if one.index == 24)
    assert side_of(coronal.pixels, 255)[0] < 0.35  # the top
    assert side_of(coronal.pixels, round(RIGHT * 255 / TOP))[1] < 0.3
    sagittal = next(one for one in only(path, axis="sagittal") if one.index == 20)
    assert side_of(sagittal.pixels, 255)[0] < 0.35
    assert side_of(sagittal.pixels, round(FRONT * 255 / TOP))[1] < 0.3  # the face


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("order", ["RAS", "LPS", "PIR", "SLA", "ILP"])
def test_any_order_of_voxels_gives_the_same_slices(order, axis, head, tmp_path):
    plain = nibabel.Nifti1Image(head, np.diag([1, 1.5, 2, 1]))
    to = nibabel.orientations.axcodes2ornt(order)
    turned = plain.as_reoriented(
        nibabel.orientations.ornt_transform(nibabel.io_orientation(plain.affine), to)
    )
    nibabel.save(plain, tmp_path / "plain.nii.gz")
    nibabel.save(turned, tmp_path / "turned.nii.gz")
    expected, found = (
        list(only(tmp_path / name, axis=axis)) for name in ("plain.nii.gz", "turned.nii.gz")
    )
    assert [one.index for one in found] == [one.index for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one.pixels, other.pixels)


def test_a_map_laid_into_the_space_lies_where_its_slice_lies(head, tmp_path):
    """Cut, and placed back, a volume in any order of voxels is itself."""
    for order in ("RAS", "LPI", "ASL"):
        to = nibabel.orientations.axcodes2ornt(order)
        image = nibabel.Nifti1Image(head, np.diag([1, 1, 3, 1]))
        turned = image.as_reoriented(
            nibabel.orientations.ornt_transform(nibabel.io_orientation(image.affine), to)
        )
        nibabel.save(turned, tmp_path / "a.nii")
        space = only(tmp_path / "a.nii").space
        assert np.allclose(space.affine, turned.affine)
        volume = np.zeros(space.shape, np.float32)
        stored = np.asarray(turned.dataobj)
        for index in range(space.slices):
            space.place(volume, index, space.cut(stored, index))
        assert np.array_equal(volume, stored)


def test_auto_takes_the_finest_pixels(head, tmp_path):
    for steps, slices in (([1, 1, 4], 32), ([1, 4, 1], 48), ([4, 1, 1], 40), ([1, 1, 1], 32)):
        path = saved(head, tmp_path / "a.nii", np.diag([*steps, 1]))
        assert len(only(path)) == slices


def test_pixels_become_square(head, tmp_path):
    path = saved(head, tmp_path / "a.nii", np.diag([1, 1, 3, 1]))
    assert next(iter(only(path, axis="coronal"))).pixels.shape == (96, 40, 3)
    assert next(iter(only(path, axis="axial"))).pixels.shape == (48, 40, 3)


def test_of_several_volumes_the_first_unless_another_is_chosen(head, tmp_path):
    both = np.stack([head, head[::-1]], axis=3)
    path = saved(both, tmp_path / "a.nii.gz")
    first, second = only(path), only(path, volume=1)
    assert first.warnings == ("It holds 2 volumes; the first was read.",)
    assert second.warnings == ()
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.pixels, other.pixels[:, ::-1])
    (error,) = read_scans([path], volume=2)
    assert str(error) == f"{path}: there is no volume 2: it has 2"


def test_content_tells_and_no_suffix(head, tmp_path):
    path = saved(head, tmp_path / "a.nii")
    plain, packed = tmp_path / "scan", tmp_path / "scan.jpg"
    plain.write_bytes(path.read_bytes())
    packed.write_bytes(gzip.compress(path.read_bytes()))
    for source in (plain, packed, plain.read_bytes(), packed.read_bytes()):
        assert len(only(source)) == 32


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.float32, np.float64, ">i2"])
def test_voxels_of_every_type(kind, head, tmp_path):
    expected = [one.pixels for one in only(saved(head, tmp_path / "a.nii"))]
    found = [one.pixels for one in only(saved(head.astype(kind), tmp_path / "b.nii"))]
    assert len(found) == len(expected)
    assert all(map(np.array_equal, found, expected))


def test_slope_intercept_and_what_is_no_number(head, tmp_path):
    levels = head.astype(np.float32) * 0.01 - 5
    expected = [one.pixels for one in only(saved(head, tmp_path / "a.nii"))]
    found = [one.pixels for one in only(saved(levels, tmp_path / "b.nii"))]
    assert all(
        np.abs(one.astype(int) - other).max() <= 1
        for one, other in zip(found, expected, strict=True)
    )
    holes = head.astype(np.float32)
    holes[0, 0] = np.nan
    assert len(list(only(saved(holes, tmp_path / "c.nii")))) == len(expected)


def test_one_slice_is_a_picture(head, tmp_path):
    path = saved(head[:, :, 16], tmp_path / "a.nii")
    assert load_image(path).size == (40, 48)
    with pytest.raises(InvalidImageError, match=r"holds 32 slices.*predict_series"):
        load_image(saved(head, tmp_path / "b.nii"))


def test_damaged_files_are_one_line_each(head, tmp_path):
    content = saved(head, tmp_path / "a.nii").read_bytes()
    packed = gzip.compress(content)
    bad = {
        "cut": content[:5000],
        "cut gzip": packed[: len(packed) // 2],
        "cut header": content[:350],
        "shape": content[:40] + b"\xff" * 16 + content[56:],
        "type": content[:70] + b"\x20\x07" + content[72:],
        "pair": content[:344] + b"ni1\0" + content[348:],
        "affine": content[:280] + b"\xff" * 48 + content[328:],
    }
    for name, damage in bad.items():
        with pytest.raises(InvalidImageError) as caught:
            load_image(damage, name)
            pytest.fail(name)
        assert caught.value.name == name
        assert "\n" not in str(caught.value)


def test_without_nibabel_one_line_names_what_to_install(head, tmp_path, monkeypatch):
    path = saved(head, tmp_path / "a.nii")
    for name in [name for name in sys.modules if name.split(".")[0] == "nibabel"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InvalidImageError, match="pip install nibabel"):
        load_image(path)


@pytest.mark.skipif(not VOLUMES.is_dir(), reason="needs ../shared/data/volumes")
@pytest.mark.parametrize("number", [1, 2])
def test_volumes_of_a_hospital(number):
    series = only(VOLUMES / f"gbm_0{number}_t1.nii.gz")
    assert len(series) == 24
    slices = list(series)
    assert series.skipped == {"without enough brain": 4}
    assert all(one.pixels.shape == (256, 256, 3) for one in slices)
    lower = slices[8].pixels[:, :, 0]
    assert lower[:20].max() < lower[128].max()  # the head is within the picture
