"""The command as a user runs it, against a stand-in for the Hub (tests/export/hub.py).

Large files go through Git LFS, where the stand-in sees every byte, but in the tests of Xet, the
way that huggingface_hub takes by default.
"""

from __future__ import annotations

import ast
import io
import os
import re
import shutil
import socket
import subprocess
import sys
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import pytest
from huggingface_hub import ModelCard, SpaceCard

from export.hub_folders import MAX_BYTES
from export.metadata import beside
from export.publish import main
from serve.artifacts import (
    EXAMPLES,
    INT8_NAME,
    KERAS_NAME,
    METRICS_NAME,
    MODELS,
    ONNX_NAME,
    OOD_NAME,
    SMALL_NAME,
    TRAINED_ON_NAME,
    sha256,
)
from serve.terms import card_license
from serve.trained_on import collections_of
from tests.conftest import ROOT
from tests.export.hub import SITECUSTOMIZE, Hub, Repository, serve_hub

TOKEN = "hf_aTokenThatOnlyTheStandInKnows"
SPACE, MODEL = "ada/brain-tumour", "ada/brain-tumour-vgg16"
ARTIFACTS = {
    *(KERAS_NAME, ONNX_NAME, INT8_NAME, SMALL_NAME, OOD_NAME, METRICS_NAME, TRAINED_ON_NAME),
    *(beside(MODELS / name).name for name in (ONNX_NAME, INT8_NAME, SMALL_NAME)),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of what is published and of the command, so that tests may change it."""
    copy = tmp_path_factory.mktemp("project")
    for name in ("space_app.py", "LICENSE", "serve", "export", "models"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("node_modules"))
        else:
            shutil.copy(source, copy / name)
    return copy


@dataclass
class Published:
    """The Hub after the first upload, what the command wrote and what it printed."""

    hub: Hub
    space: Path
    model: Path
    done: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def published(project, tmp_path_factory):
    out = tmp_path_factory.mktemp("hub")
    with serve_hub("ada", TOKEN) as hub:
        done = publish(project, hub, "--model-repo", MODEL, "--output", str(out))
        assert done.returncode == 0, done.stderr
        yield Published(hub, out / "space", out / "model", done)


@pytest.fixture
def empty_hub():
    with serve_hub("ada", TOKEN) as hub:
        yield hub


def publish(
    project: Path,
    hub: Hub | str,
    *more: str,
    space: str = SPACE,
    token: str | None = TOKEN,
    xet: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run the command in `project`, with nothing of this machine's configuration."""
    hooks = project / "hooks"
    hooks.mkdir(exist_ok=True)
    (hooks / "sitecustomize.py").write_text(SITECUSTOMIZE, encoding="utf-8")
    environment = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ} | {
        "HF_ENDPOINT": hub if isinstance(hub, str) else hub.url,
        "HF_HOME": str(project / "home"),
        "HF_HUB_DISABLE_XET": str(int(not xet)),
        "HF_XET_CLIENT_RETRY_MAX_ATTEMPTS": "1",
        "HF_XET_CLIENT_RETRY_BASE_DELAY": "10ms",
        "HF_XET_XORB_COMPRESSION_POLICY": "none",
        "PYTHONPATH": str(hooks),
        "CONNECTIONS": str(project / "connections"),
    }
    if token:
        environment["HF_TOKEN"] = token
    done = subprocess.run(
        [sys.executable, "-m", "export.publish", "--space", space, *more],
        capture_output=True,
        text=True,
        cwd=project,
        env=environment,
    )
    assert TOKEN not in done.stdout + done.stderr
    return done


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that says what went wrong."""
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    return line


def hashes(folder: Path) -> dict[str, tuple[int, str]]:
    """Size and SHA-256 of every file."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_size, sha256(path)) for path in files
    }


def test_what_arrives_is_what_is_here(published, project):
    hub = published.hub
    assert set(hub.repositories) == {f"spaces/{SPACE}", f"models/{MODEL}"}
    space = hub.repositories[f"spaces/{SPACE}"].hashes()
    model = hub.repositories[f"models/{MODEL}"].hashes()
    assert space == hashes(published.space)
    assert model == hashes(published.model)
    for path, found in hashes(project / "models").items():
        if path != "README.md" and (Path(path).parent != Path() or path in ARTIFACTS):
            assert model[path] == space[f"models/{path}"] == found, path
    for path in ("space_app.py", "LICENSE", "serve/classifier.py", "serve/app/page.py"):
        assert space[path][1] == sha256(project / path)


def test_nothing_else_arrives(published):
    paths = list(published.hub.repositories[f"spaces/{SPACE}"].hashes())
    assert {path.split("/")[0] for path in paths} == {
        *(".gitattributes", "README.md", "LICENSE", "requirements.txt"),
        *("space_app.py", "serve", "models"),
    }
    examples = {path for path in paths if path.startswith("serve/app/examples/")}
    assert examples == {f"serve/app/examples/{scan.name}" for scan in EXAMPLES.iterdir()}
    models = {path.split("/")[1] for path in paths if path.startswith("models/")}
    assert models == ARTIFACTS | {"README.md", "predictions", "report"}
    git = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "serve"]
    source = subprocess.run(git, capture_output=True, text=True, cwd=ROOT, check=True).stdout
    serve = {path for path in paths if path.startswith("serve/")}
    assert serve <= set(source.splitlines())
    assert {Path(path).suffix for path in serve - examples} <= {".py", ".css", ".js", ".typed"}


def test_large_files_are_large_files_there(published):
    """Git itself must know that they are, or a clone cannot be pushed back."""
    attributes = (published.space / ".gitattributes").read_text(encoding="utf-8")
    for path in published.hub.repositories[f"spaces/{SPACE}"].large:
        assert f"*{Path(path).suffix} filter=lfs" in attributes


def test_both_addresses_are_printed(published):
    assert f"{published.hub.url}/spaces/{SPACE}: published" in published.done.stdout
    assert f"{published.hub.url}/{MODEL}: published" in published.done.stdout


def test_nobody_but_loopback_is_contacted(published, project):
    """By Python, that is: the sockets of hf_xet are not seen."""
    assert set((project / "connections").read_text(encoding="utf-8").split()) == {"127.0.0.1"}


def test_again_uploads_nothing(published, project):
    hub = published.hub
    before = deepcopy(hub.repositories)
    hub.requests.clear()
    done = publish(project, hub, "--model-repo", MODEL)
    assert done.stdout.count(": nothing changed") == 2, done.stderr
    assert hub.repositories == before
    assert not [one for one in hub.requests if one.startswith("PUT") or "/commit/" in one]


def test_only_what_changed_is_uploaded_and_what_is_gone_goes(published, project, empty_hub):
    empty_hub.repositories = deepcopy(published.hub.repositories)
    empty_hub.objects = published.hub.objects
    before = set(hashes(published.space))
    (project / "serve" / "new.py").write_text('"""New."""\n', encoding="utf-8")
    gone = project / "models" / "report" / "roc.png"
    gone.rename(project / "away")
    try:
        done = publish(project, empty_hub, "--model-repo", MODEL)
    finally:
        (project / "serve" / "new.py").unlink()
        (project / "away").rename(gone)
    assert f"{empty_hub.url}/spaces/{SPACE}: published" in done.stdout, done.stderr
    after = set(empty_hub.repositories[f"spaces/{SPACE}"].hashes())
    assert after - before == {"serve/new.py"}
    assert before - after == {"models/report/roc.png"}
    assert not [one for one in empty_hub.requests if one.startswith("PUT")]


def test_xet(project, empty_hub):
    """Blocks that hold the files' bytes arrive, the files are committed by size and SHA-256."""
    done = publish(project, empty_hub, xet=True)
    assert f"{empty_hub.url}/spaces/{SPACE}: published" in done.stdout, done.stderr
    folder = project / "cache" / "hub" / "space"
    assert empty_hub.repositories[f"spaces/{SPACE}"].hashes() == hashes(folder)
    assert not [one for one in empty_hub.requests if one.startswith("PUT")]
    content = (folder / "models" / ONNX_NAME).read_bytes()
    for start in range(0, len(content), 1_000_000):
        sample = content[start : start + 16]
        assert any(sample in block for block in empty_hub.blocks), start
    assert ": nothing changed" in publish(project, empty_hub, xet=True).stdout


def test_configuration_of_the_space(published):
    lines = (published.space / "requirements.txt").read_text(encoding="utf-8").split()
    pins = dict(line.split("==") for line in lines)
    assert "onnxruntime" in pins
    card = SpaceCard.load(published.space / "README.md")
    assert "never a diagnosis" in card.text
    assert card.data.sdk == "gradio"
    assert card.data.sdk_version == pins["gradio"]
    assert card.data.python_version == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert (published.space / card.data.app_file).is_file()
    assert card.data.models == [MODEL]
    assert card.data.suggested_hardware == "cpu-basic"
    assert len(card.data.short_description) <= 60


def test_requirements_are_what_the_app_imports(published):
    """No package lacks, and none is there for nothing."""
    imported = set()
    for source in published.space.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module.split(".")[0])
    packages = {"PIL": "pillow", "tensorflow": "tensorflow-cpu", "pillow_heif": "pillow-heif"}
    packages |= {"libjpeg": "pylibjpeg-libjpeg", "openjpeg": "pylibjpeg-openjpeg"}
    brought = {"gradio_client", "huggingface_hub"}  # by gradio
    brought |= {"fastapi", "h11", "pydantic", "starlette", "uvicorn"}
    needed = imported - sys.stdlib_module_names - brought - {"serve"}
    lines = (published.space / "requirements.txt").read_text(encoding="utf-8").split()
    required = {line.split("==")[0] for line in lines}
    assert required == {packages.get(name, name) for name in needed}


def test_cards_have_no_dead_links(published):
    cards = [published.model / "README.md", published.space / "models" / "README.md"]
    for card in [*cards, published.space / "README.md"]:
        for link in re.findall(r"\]\(([^)]*)\)", card.read_text(encoding="utf-8")):
            assert link.startswith("http") or (card.parent / link).exists(), link
    for card in cards:
        assert "](report/confusion.png)" in card.read_text(encoding="utf-8")
        assert "train/patient_folds.csv" in card.read_text(encoding="utf-8")
        assert ModelCard.load(card).data.license == card_license(collections_of())["license"]


@pytest.mark.parametrize("more", [("--dry-run",), ()])
def test_a_dry_run_and_no_token_only_write_the_folder(more, project, empty_hub, tmp_path):
    token = TOKEN if more else None
    done = publish(project, empty_hub, *more, "--output", str(tmp_path / "out"), token=token)
    assert done.returncode == 0, done.stderr
    assert "nothing uploaded" in done.stdout
    assert empty_hub.requests == []
    for path, (size, _) in hashes(tmp_path / "out" / "space").items():
        assert re.search(rf"^ *{size:,}  {re.escape(path)}$", done.stdout, re.MULTILINE), path


def test_where_text_files_are_cp1252_as_on_windows(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(io, "text_encoding", lambda encoding, level=2: encoding or "cp1252")
    assert main(["--space", SPACE, "--dry-run", "--output", str(tmp_path)]) == 0
    assert "nothing uploaded" in capsys.readouterr().out
    assert "🧠" in (tmp_path / "space" / "README.md").read_text(encoding="utf-8")


def test_a_console_that_lacks_characters(tmp_path):
    """What it cannot show is escaped."""
    command = [sys.executable, "-m", "export.publish", "--space", SPACE, "--dry-run"]
    done = subprocess.run(
        [*command, "--output", tmp_path / "порт"],
        capture_output=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "cp1252"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\u043f\u043e\u0440\u0442" in done.stdout


def test_gpu(project, empty_hub, tmp_path):
    done = publish(project, empty_hub, "--dry-run", "--gpu", "--output", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "onnxruntime-gpu[cuda,cudnn]==" in (tmp_path / "space/requirements.txt").read_text(
        encoding="utf-8"
    )
    assert SpaceCard.load(tmp_path / "space/README.md").data.suggested_hardware == "t4-small"


def test_a_refused_token(project, empty_hub):
    error = error_of(publish(project, empty_hub, token="hf_another"))
    assert "the token is refused" in error
    assert empty_hub.repositories == {}


def test_a_token_that_cannot_be_sent_is_not_quoted(project, empty_hub):
    done = publish(project, empty_hub, token="hf_secret\x07bell")
    assert "token" in error_of(done)
    assert "secret" not in done.stdout + done.stderr


@pytest.mark.parametrize("exists", [False, True])
def test_a_name_that_is_taken(exists, project, empty_hub):
    taken = Repository()
    if exists:
        empty_hub.repositories["spaces/grace/brain-tumour"] = taken
    error = error_of(publish(project, empty_hub, space="grace/brain-tumour"))
    assert "space grace/brain-tumour: the name is someone else's" in error
    assert taken == Repository()


def test_an_account_that_has_to_pay(project, empty_hub):
    empty_hub.wants_money = True
    error = error_of(publish(project, empty_hub))
    assert "has to pay for such a Space (HTTP 402, A subscription is required)" in error


@pytest.mark.parametrize("xet", [False, True])
def test_a_break_in_mid_upload_and_the_same_command_again(xet, project, empty_hub):
    empty_hub.breaks_uploads = True
    error = error_of(publish(project, empty_hub, xet=xet))
    assert f"the connection to {empty_hub.url} failed or broke off" in error
    assert [one for one in empty_hub.requests if "/storage/" in one or "/xorbs/" in one]
    assert set(empty_hub.repositories[f"spaces/{SPACE}"].files) == {".gitattributes"}
    empty_hub.breaks_uploads = False
    done = publish(project, empty_hub, xet=xet)
    assert done.returncode == 0, done.stderr
    there = empty_hub.repositories[f"spaces/{SPACE}"].hashes()
    assert there == hashes(project / "cache" / "hub" / "space")


def test_no_network(project):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        assert f"the connection to {url} failed" in error_of(publish(project, url))


@pytest.mark.parametrize("name", ["brain-tumour", "ada/brain tumour"])
def test_a_bad_name(name, project, empty_hub):
    assert f"{name}: not USER/NAME" in error_of(publish(project, empty_hub, space=name))
    assert empty_hub.requests == []


def test_missing_artifacts(project, empty_hub):
    model = project / "models" / ONNX_NAME
    model.rename(project / "away")
    try:
        error = error_of(publish(project, empty_hub))
    finally:
        (project / "away").rename(model)
    assert f"{ONNX_NAME}: not there (python -m export.to_onnx makes it)" in error
    assert empty_hub.requests == []


def test_a_file_that_is_too_large(project, empty_hub):
    huge = project / "serve" / "huge.bin"
    with huge.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    try:
        assert "huge.bin: 100 MB, at most 100 MB" in error_of(publish(project, empty_hub))
    finally:
        huge.unlink()
    assert empty_hub.requests == []


def test_other_files_are_not_deleted(project, empty_hub, tmp_path):
    note = tmp_path / "space" / "note.txt"
    note.parent.mkdir()
    note.write_text("mine", encoding="utf-8")
    error = error_of(publish(project, empty_hub, "--dry-run", "--output", str(tmp_path)))
    assert "has other files in it" in error
    assert note.read_text(encoding="utf-8") == "mine"
