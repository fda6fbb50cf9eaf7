"""Show serve/web/site/ on this machine, with the headers that let WebAssembly use threads."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SITE = Path(__file__).resolve().parent / "site"


class IsolatedHandler(SimpleHTTPRequestHandler):
    """Serves files to pages that are isolated from other sites.

    https://developer.mozilla.org/docs/Web/API/Window/crossOriginIsolated
    """

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def end_headers(self) -> None:
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Cache-Control", "no-cache")  # so that a rebuilt site is seen at once
        super().end_headers()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="default: 8000")
    port = parser.parse_args().port
    if not SITE.is_dir():
        print(f"error: {SITE} is not there (python serve/web/build.py makes it)", file=sys.stderr)
        return 1
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), partial(IsolatedHandler, directory=SITE))
    except (OSError, OverflowError) as error:
        print(f"error: cannot listen on port {port}: {error}", file=sys.stderr)
        return 1
    print(f"http://127.0.0.1:{server.server_port}/ (Ctrl+C ends it)", flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
