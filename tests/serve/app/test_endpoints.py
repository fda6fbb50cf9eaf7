"""The endpoints, as programs call them, and as nobody should."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from serve.app.bounds import MAX_BYTES
from serve.app.endpoints import Answer, Explained
from serve.app.words import CALL, CLASSES
from serve.artifacts import MODELS
from tests.conftest import ROOT, label_of


@pytest.fixture(scope="module")
def client(app, tmp_path_factory) -> Client:
    return Client(app.url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


def test_predict(client, scans):
    answer = client.predict(handle_file(scans[0]), api_name="/predict")
    assert set(answer) == set(Answer.__annotations__)
    assert answer["file"] == scans[0].name
    assert answer["label"] == label_of(scans[0])
    assert answer["confidence"] == max(answer["probabilities"].values())
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert answer["brain_mri"] is True


def test_explain(client, scans):
    result, overlay = client.predict(handle_file(scans[3]), "glioma", api_name="/explain")
    assert set(result) == set(Explained.__annotations__)
    assert result["answer"]["label"] == label_of(scans[3])
    assert result["engine"] in ("keras", "onnx")
    for label in CLASSES:
        heat = np.array(result["maps"][label])
        assert heat.shape == (14, 14)
        assert 0 <= heat.min() <= heat.max() <= 1
    picture, scan = Image.open(overlay), Image.open(scans[3]).convert("RGB")
    assert picture.size == scan.size
    assert np.abs(np.asarray(picture, float) - np.asarray(scan, float)).max() > 20


def test_explain_takes_the_call_of_predict(app, scans):
    """Without the last argument, which has a default."""
    event, data = call(app, "explain", [sent(app, scans[0].read_bytes())])
    assert event == "complete"
    assert json.loads(data)[0]["answer"]["label"] == label_of(scans[0])


def test_a_refused_picture_has_no_class_anywhere(client, no_mri):
    answer = client.predict(handle_file(no_mri), api_name="/predict")
    assert answer["brain_mri"] is False
    assert answer["label"] is answer["confidence"] is answer["probabilities"] is None
    result, overlay = client.predict(handle_file(no_mri), "glioma", api_name="/explain")
    assert result["answer"] | {"milliseconds": 0} == answer | {"milliseconds": 0}
    assert result["maps"] is overlay is None
    (same,) = client.predict([handle_file(no_mri)], api_name="/predict_batch")
    assert same["label"] is same["probabilities"] is None


def test_predict_batch(client, scans, bad_files):
    files = [scans[1], bad_files["words.jpg"][0], scans[6]]
    first, bad, last = client.predict(
        [handle_file(file) for file in files], api_name="/predict_batch"
    )
    assert [first["label"], last["label"]] == [label_of(scans[1]), label_of(scans[6])]
    assert set(bad) == {"file", "error"}
    assert bad["file"] == "words.jpg"
    assert bad["error"].startswith("not a picture")


def test_16_bits_palettes_and_tiff(client, scans, tmp_path):
    scan = Image.open(scans[4]).convert("L")
    wide = np.asarray(scan).astype(np.uint16) * 257
    Image.fromarray(wide).save(tmp_path / "wide.png")
    Image.fromarray(wide).save(tmp_path / "wide.tiff")
    scan.convert("P").save(tmp_path / "palette.png")
    files = [handle_file(file) for file in sorted(tmp_path.iterdir())]
    answers = client.predict(files, api_name="/predict_batch")
    assert [answer.get("label") for answer in answers] == [label_of(scans[4])] * 3


def test_only_three_endpoints_are_documented(client):
    endpoints = client.view_api(return_format="dict", print_info=False)
    assert set(endpoints["named_endpoints"]) == {"/predict", "/explain", "/predict_batch"}
    assert endpoints["unnamed_endpoints"] == {}
    for endpoint in endpoints["named_endpoints"].values():
        assert endpoint["description"]
    (returned,) = endpoints["named_endpoints"]["/predict"]["returns"]
    assert set(returned["type"]["properties"]) == set(Answer.__annotations__)


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_documented_curl_call(app, scans, tmp_path):
    shutil.copy(scans[7], tmp_path / "scan.jpg")
    done = subprocess.run(
        ["bash", "-c", f"URL={app.url}\n{CALL}"], cwd=tmp_path, capture_output=True, text=True
    )
    event, data = done.stdout.split("\n")[:2]
    assert event == "event: complete"
    (answer,) = json.loads(data.removeprefix("data: "))
    assert answer["label"] == label_of(scans[7])
    assert answer["file"] == "scan.jpg"


@pytest.mark.parametrize("endpoint", ["/predict", "/explain"])
def test_a_bad_file_is_one_line(client, bad_files, endpoint):
    for path, message in bad_files.values():
        with pytest.raises(AppError) as error:
            client.predict(handle_file(path), api_name=endpoint)
        said = str(error.value)
        assert said.startswith(f"{path.name}: ")
        assert message in said
        assert "/" not in said
        assert "\n" not in said


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        str(ROOT / "README.md"),
        str(ROOT / "space_app.py"),
        str(MODELS / "metrics.json"),
        str(MODELS / "report" / "samples.png"),
        "README.md",
        "models/metrics.json",
        "../../../../../../etc/passwd",
        "/tmp/../etc/passwd",
        "file:///etc/passwd",
    ],
)
def test_no_file_of_the_server_is_given_out(app, path):
    for address in (
        f"{app.url}/gradio_api/file={path}",
        f"{app.url}/gradio_api/file={quote(path, safe='')}",
        f"{app.url}/file={path}",
        f"{app.url}/static/{path}",
        f"{app.url}/assets/{quote(path, safe='')}",
    ):
        with pytest.raises(HTTPError) as error:
            urlopen(address, timeout=30)
        assert error.value.code in (403, 404), address


@pytest.mark.parametrize(
    "path", ["/etc/passwd", str(MODELS / "report" / "roc.png"), "models/report/roc.png"]
)
@pytest.mark.parametrize("meta", [{"meta": {"_type": "gradio.FileData"}}, {}])
def test_no_file_of_the_server_is_classified(app, path, meta):
    event, data = call(app, "predict", [{"path": path} | meta])
    assert event == "error"
    assert str(ROOT) not in data
    assert "Traceback" not in data


def test_no_address_is_fetched(app):
    """Not even one of this machine that does answer."""
    picture = f"{app.url}/static/img/logo.png"
    event, data = call(app, "predict", [{"path": picture, "meta": {"_type": "gradio.FileData"}}])
    assert event == "error"
    assert "no address is fetched" in data


def test_nothing_can_be_run_past_the_queue(app):
    with pytest.raises(HTTPError) as error:
        post(f"{app.url}/gradio_api/run/predict", {"data": [None]})
    assert error.value.code == 404


def test_nonsense_is_an_error_that_says_what_was_wrong(app):
    for data in ([], [None], ["words"], [{"path": None}], [[]], [{}]):
        for endpoint in ("predict", "explain", "predict_batch"):
            event, said = call(app, endpoint, data)
            assert event == "error"
            assert len(json.loads(said)["error"]) > 10
            assert "Traceback" not in said
            assert str(ROOT) not in said


def test_a_label_that_is_none_is_told_which_there_are(app, scans):
    event, said = call(app, "explain", [sent(app, scans[0].read_bytes()), "cyst"])
    assert event == "error"
    assert "glioma, meningioma, notumor, pituitary" in json.loads(said)["error"]


def test_no_such_endpoint_is_no_failure_of_the_server(app):
    for path in ("call/cyst", "call/v2/cyst", "call/v2/predict"):
        with pytest.raises(HTTPError) as error:
            post(f"{app.url}/gradio_api/{path}", {"data": []} if "v2" not in path else {})
        assert error.value.code == 422
        assert "Use via API" in error.value.read().decode()


def test_a_large_request_that_uploads_nothing_is_refused(app):
    with pytest.raises(HTTPError) as error:
        post(f"{app.url}/gradio_api/call/predict", {"data": ["x" * 2**21]})
    assert error.value.code == 413


def test_replies_hold_no_path_of_the_server(app, scans):
    file = sent(app, scans[0].read_bytes())
    assert not Path(file["path"]).is_absolute()
    config = urlopen(f"{app.url}/config", timeout=60).read().decode()
    _, explained = call(app, "explain", [file])
    for reply in (config, explained):
        assert tempfile.gettempdir() not in reply
        assert str(ROOT) not in reply
    picture = json.loads(explained)[1]
    assert urlopen(picture["url"], timeout=60).read()


def test_the_log_holds_nothing_of_a_visitors_files(app, scans, bad_files):
    for name, content in (
        ("Jane Doe 1970-01-01.jpg", scans[0].read_bytes()),
        ("Jane Doe.txt", b"Jane Doe has a headache"),
    ):
        file = sent(app, content, name)
        for endpoint in ("predict", "explain"):
            call(app, endpoint, [file])
        call(app, "predict", [file | {"path": "/etc/Jane Doe"}])
    assert "Jane" not in app.logged()
    assert "Traceback" not in app.logged()


def test_too_large_an_upload_is_refused(app):
    with pytest.raises(HTTPError) as error:
        upload(app, bytes(MAX_BYTES + 1))
    assert error.value.code == 413


def upload(app, content: bytes, name: str = "scan.jpg") -> str:
    """What the server calls a file that is uploaded."""
    disposition = f'Content-Disposition: form-data; name="files"; filename="{name}"'
    head = f"--x\r\n{disposition}\r\n\r\n".encode()
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    request = Request(f"{app.url}/gradio_api/upload", head + content + b"\r\n--x--\r\n", kind)
    with urlopen(request, timeout=60) as response:
        return json.load(response)[0]


def sent(app, content: bytes, name: str = "scan.jpg") -> dict:
    """An uploaded file, as an argument of an endpoint."""
    return {"path": upload(app, content, name), "meta": {"_type": "gradio.FileData"}}


def call(app, endpoint: str, data: list) -> tuple[str, str]:
    """What the server says to a call by hand: the event and its data."""
    event_id = post(f"{app.url}/gradio_api/call/{endpoint}", {"data": data})["event_id"]
    with urlopen(f"{app.url}/gradio_api/call/{endpoint}/{event_id}", timeout=60) as response:
        said = response.read().decode()
    event, data = said.split("\n")[:2]
    return event.removeprefix("event: "), data.removeprefix("data: ")


def post(address: str, body: dict) -> dict:
    content = {"Content-Type": "application/json"}
    with urlopen(Request(address, json.dumps(body).encode(), content), timeout=60) as response:
        return json.load(response)
