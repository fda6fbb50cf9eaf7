"""DICOM files are gathered by series, in the order of their position."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.sequence import Sequence

from serve.formats.raster import InvalidImageError, load_image
from serve.formats.scans import read_scans
from tests.serve.formats.dicoms import (
    AXIAL,
    Dataset,
    content_of,
    dicom,
    only,
    volume_of,
)


def test_a_folder_is_a_series_by_position(levels, tmp_path):
    volume_of(levels, tmp_path / "scan")
    (tmp_path / "scan" / "notes.txt").write_text("no picture", encoding="utf-8")
    series = only(tmp_path)
    assert (series.kind, len(series)) == ("DICOM series", 6)
    slices = list(series)
    assert [one.index for one in slices] == list(range(6))
    with pydicom.dcmread(slices[2].name) as header:
        assert header.ImagePositionPatient[2] == 10
    assert series.space is not None
    assert np.allclose(series.space.affine[:3, 3], [100, 120, 0])
    assert np.allclose(np.diag(series.space.affine), [-1, -1, 5, 1])


def test_two_series_in_a_folder_are_two(levels, tmp_path):
    volume_of(levels, tmp_path, 3, SeriesNumber=4)
    for path in sorted(tmp_path.iterdir()):
        path.rename(path.with_suffix(".first"))
    volume_of(levels, tmp_path, 4, SeriesNumber=7)
    found = list(read_scans([tmp_path]))
    assert sorted((len(one), one.name[-8:]) for one in found) == [(3, "series 4"), (4, "series 7")]


def test_files_without_a_series_are_one_each(levels):
    content = content_of(dicom(levels))
    assert [len(one) for one in read_scans([content, content])] == [1, 1]


def test_places_that_were_taken_twice(levels, tmp_path):
    volume_of(levels, tmp_path / "a", 4)
    volume_of(levels // 2, tmp_path / "b", 4)
    for path in (tmp_path / "b").iterdir():
        header = pydicom.dcmread(path)
        header.SeriesInstanceUID = pydicom.dcmread(tmp_path / "a" / path.name).SeriesInstanceUID
        header.InstanceNumber += 4
        header.save_as(path)
    first = only(tmp_path)
    assert len(first) == 4
    assert "up to 2 times" in first.warnings[0]
    assert all("/a/" in one.name for one in first)
    assert all("/b/" in one.name for one in only(tmp_path, volume=1))
    (missing,) = read_scans([tmp_path], volume=2)
    assert "there is no volume 2" in str(missing)


def enhanced(levels: np.ndarray, frames: int) -> Dataset:
    """Multi-frame MR whose frames are stored from above to below."""
    dataset = dicom(np.stack([levels // (number + 1) for number in range(frames)]))
    shared, measures, plane = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [1.0, 1.0]
    plane.ImageOrientationPatient = list(AXIAL)
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([plane])
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    groups = []
    for number in range(frames):
        own, position, values, window = Dataset(), Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [0.0, 0.0, -4.0 * number]
        values.RescaleSlope, values.RescaleIntercept = 2.0, 10.0
        window.WindowCenter = 10 + 1275.0 / (number + 1)
        window.WindowWidth = 2550.0 / (number + 1)
        own.PlanePositionSequence = Sequence([position])
        own.PixelValueTransformationSequence = Sequence([values])
        own.FrameVOILUTSequence = Sequence([window])
        groups.append(own)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(groups)
    return dataset


def test_enhanced_multi_frame(levels, grey, tmp_path):
    path = tmp_path / "enhanced"
    path.write_bytes(content_of(enhanced(levels, 4)))
    series = only(path)
    slices = list(series)
    assert [one.name for one in slices] == [f"{path}[{number}]" for number in (3, 2, 1, 0)]
    for one in slices:
        assert np.abs(one.pixels[:, :, 0].astype(int) - grey).max() <= 4
    with pytest.raises(InvalidImageError, match=r"holds 4 slices.*predict_series"):
        load_image(path)


@pytest.mark.parametrize(
    "fields", [{"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, {"SeriesDescription": "scout"}]
)
def test_localizers_are_skipped_and_counted(fields, levels, tmp_path):
    volume_of(levels, tmp_path, 3, **fields)
    series = only(tmp_path)
    assert list(series) == []
    assert series.skipped == {"localizer": 3}
    with pytest.raises(InvalidImageError, match="localizer"):
        load_image(next(tmp_path.iterdir()))


def test_empty_slices_are_skipped_and_counted(levels, tmp_path):
    paths = volume_of(levels, tmp_path, 7)
    noise = np.random.default_rng(0).integers(0, 8, levels.shape).astype(np.uint16)
    for path in (paths[0], paths[6]):
        header = pydicom.dcmread(path)
        header.PixelData = noise.tobytes()
        header.save_as(path)
    series = only(tmp_path)
    assert [one.index for one in series] == [1, 2, 3, 4, 5]
    assert series.skipped == {"without enough brain": 2}


def test_a_dicomdir_names_its_files(levels, tmp_path):
    from pydicom.fileset import FileSet

    paths = volume_of(levels, tmp_path / "files", 3)
    files = FileSet()
    for path in paths:
        header = pydicom.dcmread(path)
        header.StudyInstanceUID = "1.2.3"
        header.SeriesNumber, header.StudyID, header.StudyDate = 1, "1", "20200101"
        header.StudyTime, header.AccessionNumber = "101010", ""
        files.add(header)
    files.write(tmp_path / "disc")
    assert len(only(tmp_path / "disc" / "DICOMDIR")) == 3
    assert len(only(tmp_path / "disc")) == 3


def test_a_dicomdir_names_no_file_elsewhere(levels, tmp_path):
    record, directory = Dataset(), Dataset()
    record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", ["..", "secret"]
    directory.DirectoryRecordSequence = Sequence([record])
    directory.file_meta = pydicom.dataset.FileMetaDataset()
    directory.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    directory.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    directory.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_bytes(content_of(dicom(levels)))
    (tmp_path / "in" / "DICOMDIR").write_bytes(content_of(directory))
    (error,) = read_scans([tmp_path / "in" / "DICOMDIR"])
    assert "outside its folder" in str(error)


def test_one_damaged_slice_does_not_end_the_series(levels, tmp_path):
    paths = volume_of(levels, tmp_path, 5)
    paths[2].write_bytes(paths[2].read_bytes()[:-5000])
    found = list(only(tmp_path))
    assert [isinstance(one, InvalidImageError) for one in found] == [0, 0, 1, 0, 0]
    assert found[2].name == str(paths[2])
