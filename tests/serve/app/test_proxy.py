"""The app behind a reverse proxy under a subpath, as the README's nginx block sets it up."""

from __future__ import annotations

import os
import socket
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

import pytest

from serve.app.words import CLASSES
from tests.conftest import label_of
from tests.serve.app.server import running_app

SUBPATH = "/brain"


class Proxy(BaseHTTPRequestHandler):
    """Takes the subpath off and hands everything on, answers piece by piece."""

    protocol_version = "HTTP/1.0"
    target = ""

    def do_GET(self):
        if not self.path.startswith(f"{SUBPATH}/"):
            self.send_error(404)
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        there = HTTPConnection(urlsplit(self.target).netloc, timeout=120)
        headers = {name: value for name, value in self.headers.items() if name != "Connection"}
        headers |= {"X-Forwarded-Host": self.headers["Host"], "X-Forwarded-Proto": "http"}
        there.request(self.command, self.path.removeprefix(SUBPATH), body, headers)
        reply = there.getresponse()
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        self.end_headers()
        while part := reply.read1(65536):
            self.wfile.write(part)
            self.wfile.flush()
        there.close()

    do_POST = do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    public = f"http://127.0.0.1:{port}{SUBPATH}"
    with running_app("--no-keras", environment=os.environ | {"GRADIO_ROOT_PATH": public}) as app:
        proxy = ThreadingHTTPServer(("127.0.0.1", port), type("To", (Proxy,), {"target": app.url}))
        Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"{public}/"
        proxy.shutdown()
        proxy.server_close()


def _note(request, wrong: list[str]) -> None:
    if request.failure != "net::ERR_ABORTED":  # the page itself closes a stream that is read
        wrong.append(f"{request.url}: {request.failure}")


@pytest.mark.slow
def test_it_works_under_a_subpath(browser, address, scans):
    page = browser.new_page()
    wrong = []
    page.on("requestfailed", lambda request: _note(request, wrong))
    page.on("response", lambda reply: wrong.append(reply.url) if reply.status >= 400 else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.set_default_timeout(120_000)
    page.goto(address)
    page.wait_for_function("() => Boolean(window.showClass)")
    page.set_input_files("#scan-box input[type=file]", scans[3])
    page.locator("#answer section", has_text=scans[3].name).wait_for()
    assert page.locator(".answer h2").inner_text() == CLASSES[label_of(scans[3])]
    page.get_by_role("tab", name="About the model").click()
    picture = page.locator(".card figure img").first
    picture.scroll_into_view_if_needed()
    picture.evaluate("picture => picture.decode()")
    assert wrong == []
