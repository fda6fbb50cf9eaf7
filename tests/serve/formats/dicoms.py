"""DICOM files made from the example scans, with a loud patient in them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from serve.formats.raster import load_image
from serve.formats.scans import Series, read_scans

LOUD = ("ZZLOUDNAME", "ZZLOUDID", "ZZLOUDWORD", "19010203", "ZZLOUDSITE")
AXIAL = (1, 0, 0, 0, 1, 0)


def dicom(levels: np.ndarray, **fields: object) -> Dataset:
    """A slice of MR whose header names a patient in every place where one may stand.

    Args:
        levels: uint8 or uint16, (H, W), or (N, H, W) for frames.
        fields: DICOM keywords and values; None takes one away.
    """
    name, number, word, birthday, site = LOUD
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = MRImageStorage
    dataset.SOPClassUID = MRImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.PatientName = f"{name}^{word}"
    dataset.PatientID, dataset.PatientBirthDate = number, birthday
    dataset.PatientComments = dataset.ImageComments = word
    dataset.InstitutionName = dataset.ReferringPhysicianName = site
    dataset.OtherPatientIDs = [number, word]
    dataset.SeriesDescription = f"{name} t1 post gd"
    dataset.ProtocolName = dataset.StudyDescription = word
    dataset.Modality, dataset.BodyPartExamined = "MR", "BRAIN"
    dataset.Rows, dataset.Columns = levels.shape[-2:]
    if levels.ndim == 3:
        dataset.NumberOfFrames = len(levels)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    bits = 8 * levels.dtype.itemsize
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit, dataset.PixelRepresentation = bits - 1, int(levels.dtype.kind == "i")
    dataset.PixelData = levels.tobytes()
    dataset["PixelData"].VR = "OW" if bits > 8 else "OB"
    for keyword, value in fields.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def content_of(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def volume_of(levels: np.ndarray, folder: Path, count: int = 6, **fields: object) -> list[Path]:
    """A series of slices 5 mm apart, each darker than the one below; the files' order is not the
    slices'."""
    folder.mkdir(parents=True, exist_ok=True)
    series = generate_uid()
    paths = []
    for number in range(count):
        one = dicom(
            levels // (number + 1),
            SeriesInstanceUID=series,
            InstanceNumber=count - number,
            ImageOrientationPatient=list(AXIAL),
            ImagePositionPatient=[-100, -120, 5 * number],
            PixelSpacing=[1, 1],
        )
        for keyword, value in fields.items():
            setattr(one, keyword, value)
        paths.append(folder / f"IM{(number * 5) % 7:04}")
        paths[-1].write_bytes(content_of(one))
    return paths


def shown(dataset: Dataset) -> np.ndarray:
    """What a slice looks like: its red levels, as integers."""
    return np.asarray(load_image(content_of(dataset)))[:, :, 0].astype(int)


def only(source: object, **options: object) -> Series:
    """The one series of a source."""
    (series,) = read_scans([source], **options)
    assert isinstance(series, Series), series
    return series
