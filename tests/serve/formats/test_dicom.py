"""DICOM slices give the pixels and the answers of the pictures that they were made from."""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import sys
import traceback
import warnings

import numpy as np
import pytest
from PIL import Image

from serve import BrainTumorClassifier
from serve.formats.raster import InvalidImageError, load_image
from serve.formats.scans import File, Series, read_scans
from tests.conftest import SHARED
from tests.serve.formats.dicoms import AXIAL, LOUD, content_of, dicom, pydicom, volume_of

pixels_module = pytest.importorskip("pydicom.pixels")

from pydicom.dataset import Dataset  # noqa: E402
from pydicom.encaps import encapsulate  # noqa: E402
from pydicom.sequence import Sequence  # noqa: E402
from pydicom.uid import (  # noqa: E402
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)


@pytest.fixture(scope="module")
def grey(scans) -> np.ndarray:
    return np.asarray(Image.open(scans[2]).convert("L").resize((128, 128)))


@pytest.fixture(scope="module")
def levels(grey) -> np.ndarray:
    """12 bits, of which the scan uses a third."""
    return grey.astype(np.uint16) * 5


def shown(dataset: Dataset) -> np.ndarray:
    return np.asarray(load_image(content_of(dataset)))[:, :, 0].astype(int)


def only(source: object, **options: object) -> Series:
    (series,) = read_scans([source], **options)
    assert isinstance(series, Series), series
    return series


def test_levels_without_a_window_are_the_slices_own(levels, grey):
    assert np.abs(shown(dicom(levels)) - grey).max() <= 1


def test_eight_bits_stay_as_they_are(grey):
    dim = grey // 3
    assert np.array_equal(shown(dicom(dim)), dim)


def test_twelve_bits_stored_in_sixteen(levels, grey):
    """The four bits above are an old overlay, and no levels."""
    high = levels | np.uint16(0xA000)
    found = shown(dicom(high, BitsStored=12, HighBit=11))
    assert np.abs(found - grey).max() <= 1


WINDOWS = {
    "linear": {"WindowCenter": 638.0, "WindowWidth": 1276.0},
    "the first of several": {"WindowCenter": [638.0, 10.0], "WindowWidth": [1276.0, 5.0]},
    "linear, exact": {
        "WindowCenter": 637.5,
        "WindowWidth": 1275.0,
        "VOILUTFunction": "LINEAR_EXACT",
    },
    "rescaled": {
        "RescaleSlope": 2.0,
        "RescaleIntercept": -100.0,
        "WindowCenter": 1175.0,
        "WindowWidth": 2550.0,
    },
    "of no width": {"WindowCenter": 638.0, "WindowWidth": 0.0},
    "of no centre": {"WindowCenter": None, "WindowWidth": 1276.0},
}


@pytest.mark.parametrize("window", WINDOWS)
def test_windows(window, levels, grey):
    fields = {name: value for name, value in WINDOWS[window].items() if value is not None}
    assert np.abs(shown(dicom(levels, **fields)) - grey).max() <= 1


def test_a_narrow_window_cuts_levels_off(levels):
    found = shown(dicom(levels, WindowCenter=300.0, WindowWidth=200.0))
    assert np.array_equal(found == 0, levels <= 200)
    assert np.array_equal(found == 255, levels >= 399)


def test_a_sigmoid_window(levels):
    found = shown(dicom(levels, WindowCenter=400.0, WindowWidth=600.0, VOILUTFunction="SIGMOID"))
    expected = 255 / (1 + np.exp(-4 * (levels - 400.0) / 600))
    assert np.abs(found - expected).max() <= 1


def test_tables_of_values(levels, grey):
    table = Dataset()
    table.LUTDescriptor = [1276, 0, 8]
    values = np.array([255 - value // 5 for value in range(1276)], "<u2")
    table.add_new("LUTData", "OW", values.tobytes())
    found = shown(dicom(levels, VOILUTSequence=Sequence([table])))
    assert np.array_equal(found, 255 - grey)
    table.ModalityLUTType = "US"
    found = shown(dicom(levels, ModalityLUTSequence=Sequence([table])))
    assert np.abs(found - (255 - grey.astype(int))).max() <= 1


def test_the_lowest_level_may_be_white(levels, grey):
    turned = levels.max() - levels
    found = shown(dicom(turned, PhotometricInterpretation="MONOCHROME1"))
    assert np.abs(found - grey).max() <= 1


def test_signed_levels_and_padding(levels, grey):
    signed = levels.astype(np.int16) - 500
    signed[:20] = -2000
    found = shown(dicom(signed, PixelPaddingValue=-2000))
    assert np.abs(found - grey)[20:].max() <= 2
    assert not found[:20].any()


def test_colour(scans):
    rgb = np.asarray(Image.open(scans[0]).convert("RGB").resize((96, 96)))
    dataset = dicom(rgb[:, :, 0])
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"
    dataset.PlanarConfiguration, dataset.PixelData = 0, rgb.tobytes()
    assert np.array_equal(np.asarray(load_image(content_of(dataset))), rgb)


def compressed(dataset: Dataset, syntax: str) -> Dataset:
    if syntax == JPEGBaseline8Bit:
        buffer = io.BytesIO()
        Image.fromarray(dataset.pixel_array).save(buffer, "JPEG", quality=100)
        dataset.PixelData = encapsulate([buffer.getvalue()])
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = syntax
    elif syntax in (RLELossless, JPEG2000Lossless, JPEGLSLossless):
        try:
            dataset.compress(syntax)
        except RuntimeError:
            pytest.skip("no plugin writes it")
    else:
        if syntax == ExplicitVRBigEndian:
            dataset.PixelData = dataset.pixel_array.astype(">u2").tobytes()
        dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


@pytest.mark.parametrize(
    "syntax",
    [
        *(ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian),
        *(RLELossless, JPEG2000Lossless, JPEGLSLossless, JPEGBaseline8Bit),
    ],
    ids=lambda syntax: syntax.name,
)
def test_transfer_syntaxes(syntax, levels, grey):
    dataset = dicom(grey if syntax == JPEGBaseline8Bit else levels)
    found = shown(compressed(dataset, syntax))
    assert np.abs(found - grey).max() <= (8 if syntax == JPEGBaseline8Bit else 1)


# pydicom's own files, of transfer syntaxes that nothing here writes
FOREIGN = {
    "JPGExtended.dcm": (1024, 256),
    "MR_small_jpeg_ls_lossless.dcm": (64, 64),
    "MR_small_RLE.dcm": (64, 64),
    "MR_small_bigendian.dcm": (64, 64),
    "JPEG2000.dcm": (1024, 256),
    "examples_palette.dcm": (350, 800),
    "SC_rgb_dcmtk_+eb+cy+np.dcm": (100, 100),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_files_of_others(name):
    from pydicom.data import get_testdata_file

    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip("comes with another pydicom")
    image = load_image(path)
    assert (image.height, image.width) == FOREIGN[name]
    assert np.asarray(image).std() > 5


def test_slices_are_turned_to_the_usual_view(levels, grey):
    """However the rows and columns were taken, the picture comes out the same."""
    views = {
        (1, 0, 0, 0, 1, 0): levels,
        (-1, 0, 0, 0, 1, 0): levels[:, ::-1],
        (1, 0, 0, 0, -1, 0): levels[::-1],
        (0, 1, 0, 1, 0, 0): levels.T,
        (0, -1, 0, 1, 0, 0): levels.T[:, ::-1],
        (1, 0, 0, 0, 0, -1): levels,  # coronal
        (1, 0, 0, 0, 0, 1): levels[::-1],
        (0, 1, 0, 0, 0, -1): levels,  # sagittal
        (0, -1, 0, 0, 0, -1): levels[:, ::-1],
        (0.98, 0.17, 0.1, -0.17, 0.98, 0): levels,  # oblique
    }
    for orientation, stored in views.items():
        dataset = dicom(
            np.ascontiguousarray(stored),
            ImageOrientationPatient=list(orientation),
            ImagePositionPatient=[0, 0, 0],
        )
        assert np.abs(shown(dataset) - grey).max() <= 1, orientation


def test_pixels_become_square(levels):
    wide = dicom(levels, PixelSpacing=[2.0, 1.0])
    assert load_image(content_of(wide)).size == (128, 256)
    turned = dicom(levels, PixelSpacing=[2.0, 1.0], ImageOrientationPatient=[0, 1, 0, 1, 0, 0])
    assert load_image(content_of(turned)).size == (256, 128)
    ratio = dicom(levels, PixelAspectRatio=[1, 2])
    assert load_image(content_of(ratio)).size == (256, 128)


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


def warnings_of(levels: np.ndarray, **fields: object) -> str:
    fields = {"ProtocolName": "", **fields}
    return " ".join(only(content_of(dicom(levels, **fields))).warnings)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"Modality": "CT"}, "computed tomography"),
        ({"Modality": "ZZLOUDNAME"}, "of another kind"),
        ({"BodyPartExamined": "KNEE"}, "not the head"),
        ({"SeriesDescription": "ep2d_diff_b1000_ADC"}, "diffusion"),
        ({"SeriesDescription": "SWI_Images"}, "susceptibility"),
        ({"SeriesDescription": "tof_3d_multi-slab"}, "angiography"),
        ({"SeriesDescription": "t2_tirm_tra_dark-fluid"}, "FLAIR"),
        ({"SeriesDescription": "t2_tse_tra"}, "T2-weighted"),
        ({"SeriesDescription": "t1_se_tra"}, "no contrast agent"),
        ({"SeriesDescription": "", "EchoTime": 100.0, "RepetitionTime": 4000.0}, "T2-weighted"),
        ({"SeriesDescription": "", "EchoTime": 10.0, "RepetitionTime": 500.0}, "no contrast"),
        ({"BurnedInAnnotation": "YES"}, "burnt"),
    ],
)
def test_what_is_unlike_the_training_scans_is_said(fields, words, levels):
    assert words in warnings_of(levels, **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"SeriesDescription": "t1_mpr_sag_KM", "BodyPartExamined": "HEAD"},
        {"SeriesDescription": "Ax T1 +C", "BurnedInAnnotation": "NO"},
        {"SeriesDescription": "AX T1", "ContrastBolusAgent": "Gadovist"},
        {"SeriesDescription": "", "BodyPartExamined": ""},
    ],
)
def test_nothing_is_said_of_what_it_was_trained_on(fields, levels):
    assert warnings_of(levels, **fields) == ""


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


def damaged(levels: np.ndarray) -> dict[str, bytes]:
    whole = content_of(dicom(levels))
    return {
        "cut in the pixels": whole[: len(whole) - 1000],
        "cut in the header": whole[:500],
        "no pixels": content_of(dicom(levels, PixelData=None)),
        "no size": content_of(dicom(levels, Rows=None)),
        "unknown syntax": whole.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.9.9\0"),
        "bits": content_of(dicom(levels, BitsAllocated=13)),
        "noise": whole[:132] + np.random.default_rng(1).bytes(3000),
        "huge": content_of(dicom(levels, Rows=65535, Columns=65535)),
        "several samples": content_of(dicom(levels, SamplesPerPixel=3)),
        "text for numbers": whole.replace(
            b"\x28\x00\x10\x00US\x02\x00", b"\x28\x00\x10\x00LO\x02\x00"
        ),
    }


def everything(source: object) -> str:
    """All that a series, its slices and its errors say."""
    said = []
    for one in read_scans([source]):
        said += [str(one), repr(one)]
        if isinstance(one, Series):
            said += [repr(part) + str(part) for part in one] + [str(one.skipped), *one.warnings]
    return " ".join(said)


def test_damaged_files_are_one_line_each(levels):
    for name, content in damaged(levels).items():
        with pytest.raises(InvalidImageError) as caught:
            load_image(content, name)
        assert caught.value.name == name
        assert "\n" not in str(caught.value)


def test_no_patient_is_named_anywhere(levels, tmp_path, capfd, caplog):
    """Not in names, warnings, errors, tracebacks, logs, on standard output or in JSON."""
    caplog.set_level(logging.DEBUG)
    classifier = BrainTumorClassifier("int8", "cpu")
    volume_of(levels, tmp_path / "scan", 3)
    wrong = dict.fromkeys(
        ("Modality", "BodyPartExamined", "ContrastBolusAgent", "SequenceName"), "ZZLOUDWORD"
    )
    contents = [*damaged(levels).values(), content_of(dicom(levels, **wrong))]
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        said = [everything(tmp_path), *map(everything, contents)]
        said.append(json.dumps(dataclasses.asdict(classifier.predict_series(tmp_path))))
        for content in contents:
            try:
                classifier.predict(content)
            except InvalidImageError as error:
                said.append("".join(traceback.format_exception(error)))
                said += [repr(error.__context__), repr(error.__cause__), str(error.args)]
    said += [str(one.message) for one in raised] + list(caplog.messages) + list(capfd.readouterr())
    for word in LOUD:
        assert not [text for text in said if word in text], word


def test_without_pydicom_one_line_names_what_to_install(levels, monkeypatch):
    content = content_of(dicom(levels))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(InvalidImageError, match="pip install pydicom"):
        load_image(content)


def test_without_its_decoders_one_line_names_what_to_install(levels, monkeypatch):
    from pydicom.pixels import get_decoder

    decoder = get_decoder(JPEGLSLossless)
    monkeypatch.setattr(decoder, "_available", {})
    monkeypatch.setitem(sys.modules, "libjpeg", None)
    dataset = dicom(levels)
    dataset.file_meta.TransferSyntaxUID = JPEGLSLossless
    dataset.PixelData = encapsulate([b"x"])
    with pytest.raises(InvalidImageError, match="compressed; to read DICOM: pip install"):
        load_image(content_of(dataset))


def test_one_damaged_slice_does_not_end_the_series(levels, tmp_path):
    paths = volume_of(levels, tmp_path, 5)
    paths[2].write_bytes(paths[2].read_bytes()[:-5000])
    found = list(only(tmp_path))
    assert [isinstance(one, InvalidImageError) for one in found] == [0, 0, 1, 0, 0]
    assert found[2].name == str(paths[2])


def test_the_answer_is_the_pictures_own(scans):
    classifier = BrainTumorClassifier("int8", "cpu")
    grey = np.asarray(Image.open(scans[0]).convert("L"))
    source = File("scan", content_of(dicom(grey.astype(np.uint16) * 3)))
    expected, found = classifier.predict(grey), classifier.predict_series(source).slices[0]
    assert found.label == expected.label
    assert found.confidence == pytest.approx(expected.confidence, abs=0.02)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared")
def test_a_slice_as_a_hospital_hands_it_out():
    classifier = BrainTumorClassifier("int8", "cpu")
    answer = classifier.predict(SHARED / "cases" / "files" / "glioma_slice.dcm")
    assert answer.label == "glioma"
