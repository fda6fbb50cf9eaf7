"""A file that is not as agreed is refused in one line, when it is loaded or when it answers."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from serve import BrainTumorClassifier, ModelError
from serve.artifacts import INT8_NAME, MODELS
from serve.names import LABELS
from tests.conftest import run

SHAPES = {
    "probabilities": ["N", 4],
    "cam": ["N", 4, 14, 14],
    "ood_score": ["N"],
}
METADATA = {
    "labels": json.dumps(LABELS),
    "input_size": "224",
    "temperature": "1.5",
    "ood_threshold": "4.5",
}


def small_model(
    folder: Path,
    metadata: dict[str, str | None] | None = None,
    shapes: dict[str, list] | None = None,
    image: tuple = (TensorProto.UINT8, ["N", "H", "W", 3]),
    kinds: dict[str, int] | None = None,
    opsets: dict[str, int] | None = None,
    factor: dict[str, float] | None = None,
    share: float = 0.25,
) -> Path:
    """A model of a few nodes that keeps to the contract, but for what is asked otherwise.

    Its probabilities are `share` each, all else is 0; an output is multiplied by its `factor`.
    """
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["none"]),
    ]
    constants = {"axes": np.array([1, 2, 3]), "zero": np.float32(0)}
    outputs = []
    for name, shape in ({**SHAPES, **(shapes or {})}).items():
        if shape is None:
            continue
        kind = (kinds or {}).get(name, TensorProto.FLOAT)
        start = np.float32(share if name == "probabilities" else 0)
        ones = [one if isinstance(one, int) else 1 for one in shape[1:]]
        constants |= {
            f"{name}_block": np.full((1, *ones), start, np.float32),
            f"{name}_rank": np.array([-1] + [1] * len(ones)),
            f"{name}_factor": np.float32((factor or {}).get(name, 1)),
        }
        nodes += [
            helper.make_node("Reshape", ["none", f"{name}_rank"], [f"{name}_none"]),
            helper.make_node("Add", [f"{name}_none", f"{name}_block"], [f"{name}_sum"]),
            helper.make_node("Mul", [f"{name}_sum", f"{name}_factor"], [f"{name}_all"]),
            helper.make_node("Cast", [f"{name}_all"], [name], to=kind),
        ]
        outputs.append(helper.make_tensor_value_info(name, kind, shape))
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", *image)],
        outputs,
        [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()],
    )
    sets = [helper.make_opsetid(*one) for one in (opsets or {"": 18}).items()]
    model = helper.make_model(graph, opset_imports=sets, ir_version=8)
    properties = METADATA | (metadata or {})
    helper.set_model_props(model, {n: v for n, v in properties.items() if v is not None})
    path = folder / "small.onnx"
    onnx.save(model, path)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as refused:
        BrainTumorClassifier(path, device="cpu").explain(np.zeros((300, 300, 3), np.uint8))
    text = str(refused.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


def test_a_small_model_that_keeps_to_it_answers(tmp_path):
    classifier = BrainTumorClassifier(small_model(tmp_path), device="cpu")
    answer = classifier.predict(np.zeros((300, 300), np.uint8))
    assert answer.probabilities == dict.fromkeys(LABELS, 0.25)
    assert (classifier.temperature, classifier.ood_threshold) == (1.5, 4.5)


@pytest.mark.parametrize("name", METADATA)
def test_what_must_be_known_must_be_there(name, tmp_path):
    assert refusal(small_model(tmp_path, {name: None})) == f"its metadata lack {name}"


@pytest.mark.parametrize(
    "text",
    [
        *("", "glioma", "{}", "null", "3", "[]", '["glioma"]', "[" * 100_000),
        json.dumps(LABELS[:3]),
        json.dumps([*LABELS[:3], "glioma"]),
        json.dumps([*LABELS, "notumor"]),
        json.dumps([*LABELS[:3], "schwannoma"]),
        json.dumps([*LABELS[:3], 4]),
        json.dumps([*LABELS[:3], ["pituitary"]]),
        json.dumps([*LABELS[:3], None]),
        json.dumps(dict.fromkeys(LABELS)),
        '"glioma, meningioma, notumor, pituitary"',
    ],
)
def test_labels_are_the_four_classes(text, tmp_path):
    assert "labels" in refusal(small_model(tmp_path, {"labels": text}))


def test_labels_may_stand_in_another_order(tmp_path):
    path = small_model(tmp_path, {"labels": json.dumps(LABELS[::-1])})
    assert BrainTumorClassifier(path, device="cpu").labels == LABELS[::-1]


@pytest.mark.parametrize(
    "text",
    ["", "large", "224.0", "-224", "0", "31", "1025", "100000", "9" * 5000, "nan", "1e2", "٢٢٤"],
)
def test_the_input_size_is_a_size(text, tmp_path):
    said = refusal(small_model(tmp_path, {"input_size": text}))
    assert "is not a number from 32 to 1024 in its metadata" in said
    assert len(said) < 200


@pytest.mark.parametrize("text", ["", "warm", "0", "-1", "nan", "inf", "-inf", "1e999", "[1]"])
def test_the_temperature_is_a_finite_number_above_0(text, tmp_path):
    said = refusal(small_model(tmp_path, {"temperature": text}))
    assert said == f"temperature {text!r} is not a finite number above 0 in its metadata"


@pytest.mark.parametrize("name", ["ood_threshold", "ood_warning"])
@pytest.mark.parametrize("text", ["", "high", "nan", "inf", "-inf", "1e999", "null"])
def test_the_thresholds_are_finite_numbers(name, text, tmp_path):
    said = refusal(small_model(tmp_path, {name: text}))
    assert said == f"{name} {text!r} is not a finite number in its metadata"


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "[1]", "null", '{"strangers": []}', "[" * 100_000),
        '{"patients": [[0.5, 1, 0, 0]]}',
        '{"patients": [[0.5, 1, 10, 11]]}',
        '{"patients": [[0.5, 1, 10]]}',
        '{"patients": [[0.5, 2, 10, 5]]}',
        '{"patients": [[-1, 1, 10, 5]]}',
        '{"patients": [[NaN, 1, 10, 5]]}',
        '{"patients": [[0.5, 1, NaN, 5]]}',
        '{"patients": [[0.5, 1, Infinity, 5]]}',
        '{"patients": [[0, 0.5, 10, 5], [0.5, 1, 10, 5]]}',
        '{"patients": {"0.5": 1}}',
    ],
)
def test_the_track_record_is_one(text, tmp_path):
    assert "no track record" in refusal(small_model(tmp_path, {"track_record": text}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"image": (TensorProto.FLOAT, ["N", "H", "W", 3])},
        {"image": (TensorProto.UINT8, ["N", 3, "H", "W"])},
        {"image": (TensorProto.UINT8, [1, "H", "W", 3])},
        {"image": (TensorProto.UINT8, ["N", 224, 224, 3])},
        {"shapes": {"probabilities": ["N", 3]}},
        {"shapes": {"probabilities": None}},
        {"shapes": {"cam": ["N", 4, 7, 7]}},
        {"shapes": {"cam": None}},
        {"shapes": {"ood_score": ["N", 1]}},
        {"kinds": {"ood_score": TensorProto.DOUBLE}},
        {"kinds": {"probabilities": TensorProto.FLOAT16}},
    ],
)
def test_tensors_have_their_types_and_axes(wrong, tmp_path):
    said = refusal(small_model(tmp_path, **wrong))
    assert said.startswith("not a brain tumour classifier of this project (expected the ")


@pytest.mark.parametrize(
    "sets, said",
    [
        ({"": 19}, "made of the operators ai.onnx 19, not of ai.onnx 18 alone"),
        (
            {"": 18, "com.microsoft": 1},
            "made of the operators ai.onnx 18, com.microsoft 1, not of ai.onnx 18 alone",
        ),
        ({"": 999}, "not an ONNX model that can be run here"),
    ],
)
def test_operators_are_those_that_every_runtime_has(sets, said, tmp_path):
    assert refusal(small_model(tmp_path, opsets=sets)).startswith(said)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_outputs_that_are_no_numbers_are_no_answers(name, value, tmp_path):
    """Infinity times zero is no number, so the maps and scores are NaN either way."""
    said = refusal(small_model(tmp_path, factor={name: value}))
    assert said == f"gives {name} that are not finite numbers"


@pytest.mark.parametrize("share", [0.5, 0, -0.25])
def test_probabilities_add_up_to_1(share, tmp_path):
    said = refusal(small_model(tmp_path, share=share))
    assert said == "gives probabilities that do not add up to 1"


def test_on_the_command_line_it_is_one_line(tmp_path, scans):
    path = small_model(tmp_path, factor={"probabilities": np.nan})
    done = run("serve/infer.py", "--json", "--model", path, *scans)
    assert done.returncode == 2
    assert done.stderr == f"error: {path}: gives probabilities that are not finite numbers\n"
    assert "NaN" not in done.stdout


def test_weights_that_are_no_numbers_are_found(tmp_path, scans):
    """One infinite weight in the committed model."""
    model = onnx.load(MODELS / INT8_NAME)
    bias = next(
        one
        for one in model.graph.initializer
        if one.data_type in (TensorProto.FLOAT, TensorProto.FLOAT16) and list(one.dims) == [4]
    )
    spoilt = numpy_helper.to_array(bias).copy()
    spoilt[0] = np.inf
    bias.CopyFrom(numpy_helper.from_array(spoilt, bias.name))
    onnx.save(model, tmp_path / "spoilt.onnx")
    with pytest.raises(ModelError, match=r"spoilt\.onnx: gives .* that are not finite numbers"):
        BrainTumorClassifier(tmp_path / "spoilt.onnx", device="cpu").predict(scans[0])


@pytest.mark.parametrize("content", [b"", b"\0" * 1000, b"no model", b"\x08\x08" * 500])
def test_a_file_that_is_no_model(content, tmp_path):
    path = tmp_path / "none.onnx"
    path.write_bytes(content)
    assert refusal(path).startswith("not an ONNX model")


@pytest.mark.parametrize("name", ["", "none.onnx", "none/none.onnx", "x" * 5000, "a\0b"])
def test_a_path_that_is_no_file(name, tmp_path):
    with pytest.raises(ModelError):
        BrainTumorClassifier(tmp_path / name)


def test_it_pickles_by_its_arguments(scans):
    classifier = BrainTumorClassifier("int8", device="cpu", threads=1)
    content = pickle.dumps(classifier)
    assert len(content) < 1000
    again = pickle.loads(content)
    assert again.predict(scans[0]).probabilities == classifier.predict(scans[0]).probabilities
