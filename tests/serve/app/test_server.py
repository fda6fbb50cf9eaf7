"""The server behind the demo: how it starts and ends, and what one visitor may ask of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from serve.app import limits
from serve.app.limits import BYTES, FILES, PATIENCE, Budget
from serve.app.server import listening
from serve.app.uploads import FOLDER, sweep
from serve.command import UserError
from tests.serve.app.server import running_app


def test_a_budget_is_spent_and_fills_again(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(limits.time, "monotonic", lambda: now)
    budget = Budget(seen=now)
    assert budget.spend(FILES, 0)
    assert not budget.spend(1, 0)
    now += 1
    assert budget.spend(1, 0)
    assert not budget.spend(0, BYTES + 1)


def test_a_visitor_cannot_upload_without_end(scans):
    body, kind = multipart([scans[0].read_bytes()] * 50)
    with running_app("--no-keras") as app:
        for number in range(20):
            try:
                urlopen(Request(f"{app.url}/gradio_api/upload", body, kind), timeout=60).close()
            except HTTPError as error:
                assert error.code == 429
                assert b"wait a minute" in error.read()
                assert number >= FILES / 50 - 1
                break
        else:
            pytest.fail("1,000 files were taken within seconds")
        other = Request(
            f"{app.url}/gradio_api/upload", body, kind | {"X-Forwarded-For": "203.0.113.7"}
        )
        with urlopen(other, timeout=60) as response:  # another visitor, through a proxy
            assert len(json.load(response)) == 50


HALF_REQUESTS = (
    b"",
    b"GET / HTTP/1.1\r\nHost: x\r\n",
    b"POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x",
)


def test_connections_whose_request_never_arrives_are_closed(app):
    host, port = app.url.removeprefix("http://").split(":")
    connections = [socket.create_connection((host, int(port))) for _ in HALF_REQUESTS]
    for connection, half in zip(connections, HALF_REQUESTS, strict=True):
        connection.sendall(half)
        connection.settimeout(3 * PATIENCE)
    for connection in connections:
        with connection:
            assert connection.recv(100) == b""


def test_it_ends_clean_while_a_visitor_looks_on(scans):
    body, kind = multipart([scans[0].read_bytes()])
    with running_app("--no-keras") as app:
        with urlopen(Request(f"{app.url}/gradio_api/upload", body, kind), timeout=60) as response:
            (sent,) = json.load(response)
        cwd = Path(f"/proc/{app.pid}/cwd").resolve()
        assert (cwd / sent).read_bytes() == scans[0].read_bytes()
        with urlopen(f"{app.url}/gradio_api/heartbeat/visitor", timeout=60):
            app.process.send_signal(signal.SIGTERM)
            assert app.process.wait(60) == 0
        assert app.logged().splitlines() == [f"* Running on local URL:  {app.url}"]
    assert not cwd.exists()


def test_a_port_that_is_taken_is_one_line(app, monkeypatch):
    host, port = app.url.removeprefix("http://").split(":")
    monkeypatch.setenv("GRADIO_SERVER_PORT", port)
    with pytest.raises(UserError, match=f"port {port}"), listening(host):
        pass


def test_old_files_go_and_new_ones_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    old, new = Path(FOLDER, "a", "old.jpg"), Path(FOLDER, "b", "new.jpg")
    for file in (old, new):
        file.parent.mkdir(parents=True)
        file.write_bytes(b"x")
    limit = time.time()
    os.utime(old, (limit - 10, limit - 10))
    os.utime(new, (limit + 10, limit + 10))
    sweep(limit)
    assert [path.name for path in Path(FOLDER).rglob("*.jpg")] == ["new.jpg"]
    assert not old.parent.exists()


@pytest.mark.slow
def test_keras_takes_over(scans):
    pytest.importorskip("tensorflow", reason="needs TensorFlow")
    with running_app() as app:
        end = time.monotonic() + 300
        engines = []
        while time.monotonic() < end and "keras" not in engines:
            engines.append(engine_of(app, scans[0]))
            time.sleep(2)
    assert engines[0] == "onnx"
    assert engines[-1] == "keras"


def engine_of(app, scan: Path) -> str:
    body, kind = multipart([scan.read_bytes()])
    with urlopen(Request(f"{app.url}/gradio_api/upload", body, kind), timeout=60) as response:
        (path,) = json.load(response)
    data = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}]}
    call = f"{app.url}/gradio_api/call/explain"
    request = Request(call, json.dumps(data).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=60) as response:
        event_id = json.load(response)["event_id"]
    with urlopen(f"{call}/{event_id}", timeout=120) as response:
        answer = response.read().decode().split("data: ")[1]
    return json.loads(answer)[0]["engine"]


def multipart(files: list[bytes]) -> tuple[bytes, dict[str, str]]:
    """The body of an upload, and its kind."""
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="scan.jpg"\r\n\r\n'
    parts = b"".join(head + file + b"\r\n" for file in files)
    return parts + b"--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}
