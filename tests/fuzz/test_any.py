"""Whatever a caller hands over, in Python: arrays of any kind, texts of metadata, tables' cells."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays

from serve.command import UserError
from serve.formats.errors import InvalidImageError
from serve.formats.raster import load_image
from serve.names import LABELS
from serve.outputs import harmless
from serve.resume import earlier_json, earlier_table
from serve.streams import shown
from serve.track_record import TrackRecord, meaning, read_track_record

SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6)
LEVELS = some.one_of(
    arrays.boolean_dtypes(),
    arrays.integer_dtypes(),
    arrays.unsigned_integer_dtypes(),
    arrays.floating_dtypes(),
    arrays.complex_number_dtypes(),
    arrays.byte_string_dtypes(),
)
NUMBERS = some.one_of(some.none(), some.booleans(), some.integers(), some.floats(), some.text())
JSON = some.recursive(
    NUMBERS, lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner), max_leaves=12
)
ROWS = some.lists(some.lists(NUMBERS, min_size=4, max_size=4), max_size=3)
quick = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@quick
@given(arrays.arrays(LEVELS, SHAPES))
def test_an_array_is_a_picture_or_none(array):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            image = load_image(array)
        except InvalidImageError as error:
            assert error.reason
        else:
            assert (image.mode, image.size) == ("RGB", array.shape[1::-1])


@quick
@given(some.one_of(JSON, some.dictionaries(some.sampled_from(["patients", "hospitals"]), ROWS)))
def test_a_track_record_is_one_or_none(value):
    try:
        record = read_track_record(json.dumps(value))
    except UserError:
        return
    assert isinstance(record, TrackRecord)
    for confidence in (0.0, 0.5, 1.0):
        meaning(record.at(confidence))


@quick
@given(some.text())
def test_a_name_is_one_harmless_line(text):
    assert len(shown(text).splitlines()) <= 1
    cell = harmless(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cell.removeprefix("'") == text or cell == text


@quick
@given(content=some.one_of(some.binary(), JSON.map(lambda value: json.dumps(value).encode())))
def test_a_table_to_go_on_with_is_one_or_none(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("any") / "answers"
    path.write_bytes(content + b"\r\n")
    for read in (earlier_json, lambda name: earlier_table(name, LABELS)):
        try:
            read(str(path))
        except UserError as error:
            assert "--resume cannot go on with it" in str(error)


def test_these_tests_would_see_a_warning():
    with pytest.raises(RuntimeWarning), warnings.catch_warnings():
        warnings.simplefilter("error")
        np.float32(1e38) * np.float32(10)
