"""DICOM slices give the pixels and the answers of the pictures that they were made from."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from serve import BrainTumorClassifier
from serve.formats.raster import load_image
from serve.formats.scans import File
from tests.conftest import SHARED
from tests.serve.formats.dicoms import (
    Dataset,
    content_of,
    dicom,
    shown,
)


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
