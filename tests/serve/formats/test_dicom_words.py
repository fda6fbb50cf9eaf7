"""What DICOM headers say is said in words, and never whose they are."""

from __future__ import annotations

import dataclasses
import json
import logging
import sys
import traceback
import warnings

import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEGLSLossless,
)

from serve import BrainTumorClassifier
from serve.formats.raster import InvalidImageError, load_image
from serve.formats.scans import Series, read_scans
from tests.serve.formats.dicoms import (
    LOUD,
    content_of,
    dicom,
    only,
    volume_of,
)


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
