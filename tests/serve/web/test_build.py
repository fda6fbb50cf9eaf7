"""What npm says, when it fails, is what is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from serve.command import UserError
from serve.web import build

REFUSED = """\
npm error code ECONNREFUSED
npm error FetchError: request to http://127.0.0.1:9/onnxruntime-web failed
npm error     at ClientRequest.<anonymous> (/usr/lib/node_modules/npm/index.js:130:14)
npm error If you are behind a proxy, please make sure that it is set properly.
"""


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """Puts a program in npm's place, and the page's folder into a temporary one."""

    def stand_in(script: str) -> None:
        program = tmp_path / "npm"
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        program.chmod(0o755)

    monkeypatch.setattr(build, "WEB", tmp_path)
    monkeypatch.setattr(build.shutil, "which", lambda name: str(tmp_path / name))
    return stand_in


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
@pytest.mark.parametrize(
    "script, said",
    [
        (
            f"cat >&2 <<'END'\n{REFUSED}END\nexit 1",
            "code ECONNREFUSED FetchError: request to http://127.0.0.1:9/onnxruntime-web failed "
            "If you are behind a proxy, please make sure that it is set properly.",
        ),
        ("echo broken; exit 1", "broken"),
        ("exit 7", "exit status 7"),
        ("printf 'n\\374n\\n' >&2; exit 1", "n\N{REPLACEMENT CHARACTER}n"),
    ],
)
def test_npms_words_are_shown(script, said, npm):
    npm(script)
    with pytest.raises(UserError) as refused:
        build.build(Path("model.onnx"))
    assert str(refused.value) == f"npm install failed: {said}"
