"""The HTTP server of the demo: where it listens, what it logs, how it ends."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from types import FrameType

import gradio as gr
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from gradio.utils import get_space

from ..artifacts import EXAMPLES, MODELS
from ..command import UserError
from .bounds import MAX_BYTES
from .guarded import FAILED, NOT_AS_EXPECTED
from .limits import ImpatientProtocol, Limits
from .quiet import be_quiet, where
from .snippets import replace_snippets
from .uploads import FOLDER, sweep_for_ever

STYLES, SCRIPTS = (
    [Path(__file__).with_name(name) for name in names]
    for names in (
        ("style.css", "answer.css", "viewer.css", "cards.css"),
        ("script.js", "viewer.js", "framing.js", "choose.js", "cards.js"),
    )
)
REPORT = MODELS / "report"

HOST, FIRST_PORT, LAST_PORT = "127.0.0.1", 7860, 7959  # Gradio's own
GRACE = 3  # seconds for answers that are on their way when the server ends

log = logging.getLogger(__name__)


def serve(build: Callable[[], gr.Blocks], theme: gr.themes.Base) -> None:
    """Serve what `build` gives until SIGTERM, and end with status 0, or until Ctrl-C, with 130;
    what was uploaded goes with it.

    Raises:
        UserError: there is no port to listen on.
    """
    try:
        _serve(build, theme)
    except SystemExit as ended:
        sys.stdout.flush()
        os._exit(ended.code if isinstance(ended.code, int) else 1)  # the thread that may still be
        # loading TensorFlow would abort an interpreter that takes itself down


def _serve(build: Callable[[], gr.Blocks], theme: gr.themes.Base) -> None:
    be_quiet()
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    host = os.environ.get("GRADIO_SERVER_NAME", HOST)
    with listening(host) as listener, _folder_of_uploads():
        Thread(target=sweep_for_ever, daemon=True).start()
        config = uvicorn.Config(
            Limits(_application(build(), theme)),
            http=ImpatientProtocol,
            ws="none",
            log_config=None,
            log_level="critical",  # of requests that fail, `_say_why` tells
            access_log=False,
            server_header=False,
            # On a Space, all visitors come through its proxy.
            forwarded_allow_ips="*" if get_space() else None,
            timeout_graceful_shutdown=GRACE,
        )
        port = listener.getsockname()[1]
        print(f"* Running on local URL:  http://{host}:{port}", flush=True)
        uvicorn.Server(config).run(sockets=[listener])


def _application(demo: gr.Blocks, theme: gr.themes.Base) -> FastAPI:
    replace_snippets()
    application = FastAPI(openapi_url=None)
    if REPORT.is_dir():  # not in the wheel
        application.mount("/report", StaticFiles(directory=REPORT))
    application.mount("/examples", StaticFiles(directory=EXAMPLES))
    script = "\n".join(file.read_text(encoding="utf-8") for file in SCRIPTS)
    gr.mount_gradio_app(
        application,
        demo,
        path="/",
        root_path=os.environ.get("GRADIO_ROOT_PATH"),
        max_file_size=MAX_BYTES,
        footer_links=["api"],
        show_error=False,
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        theme=theme,
        css_paths=STYLES,
        head=f"<script>{script}</script>",
    )
    gradio_application = application.routes[-1].app  # type: ignore[attr-defined]
    gradio_application.add_exception_handler(Exception, _say_why)
    demo.has_launched = True  # else Gradio takes any file of the server for an uploaded one
    return application


def _say_why(request: Request, error: Exception) -> JSONResponse:
    """What a caller is told of a request that Gradio fails to take."""
    if "/call/" not in request.url.path:
        log.error("a request failed: %s", where(error))
        return JSONResponse({"error": FAILED}, 500)
    return JSONResponse({"error": NOT_AS_EXPECTED}, 422)


@contextmanager
def listening(host: str) -> Iterator[socket.socket]:
    """A socket at GRADIO_SERVER_PORT, or at the first port from 7860 on that is free."""
    asked = os.environ.get("GRADIO_SERVER_PORT")
    ports = [int(asked)] if asked else range(FIRST_PORT, LAST_PORT + 1)
    for port in ports:
        try:
            listener = socket.create_server(
                (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
            )
        except OSError as error:
            reason = error.strerror
        else:
            with listener:
                yield listener
            return
    where = asked or f"{FIRST_PORT} to {LAST_PORT}"
    raise UserError(f"cannot listen at {host}, port {where}: {reason}")


@contextmanager
def _folder_of_uploads() -> Iterator[None]:
    """Work in a temporary folder, so that paths in replies do not say where it is."""
    before = Path.cwd()
    with TemporaryDirectory(prefix="uploads-", ignore_cleanup_errors=True) as folder:
        os.chdir(folder)
        Path(FOLDER).mkdir()
        os.environ["GRADIO_TEMP_DIR"] = FOLDER
        try:
            yield
        finally:
            os.chdir(before)


def _leave(number: int, _frame: FrameType | None) -> None:
    """After uvicorn has closed its connections it sends itself the signal that ended it."""
    sys.exit(0 if number == signal.SIGTERM else 130)
