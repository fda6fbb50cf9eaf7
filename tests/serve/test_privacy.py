"""No run writes, or asks the network for, anything but what it was told to: traced by strace."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from serve.privacy import OFF
from tests.conftest import ROOT, SCANS

SCAN = SCANS / "Te-gl_0010.jpg"
WAIT = "import time; time.sleep(3)"  # what reports home does so from a thread of its own
LIBRARY = f"""
from serve import BrainTumorClassifier
assert BrainTumorClassifier().predict({str(SCAN)!r}).label == "glioma"
{WAIT}
"""
EXPORT = f"""
import export.quantize, export.publish
from export.float32_against_int8 import answers_of
from pathlib import Path
from serve.artifacts import INT8_NAME, MODELS
answers_of(MODELS / INT8_NAME, [Path({str(SCAN)!r})])
{WAIT}
"""
TRAIN = f"""
from train.network.vgg16 import load_checkpoint
import numpy as np
from serve.artifacts import KERAS_NAME, MODELS
load_checkpoint(MODELS / KERAS_NAME).predict(np.zeros((1, 224, 224, 3)), verbose=0)
{WAIT}
"""
APP = f"""
import os, signal, sys, threading, time
from urllib.request import urlopen
import serve.app.page as page

def ask():
    from gradio_client import Client, handle_file
    address = "http://127.0.0.1:" + os.environ["GRADIO_SERVER_PORT"]
    try:
        for _ in range(300):
            try:
                urlopen(address + "/config").close()
                break
            except OSError:
                time.sleep(0.5)
        client = Client(address, verbose=False, download_files=False)
        assert "glioma" in str(client.predict(handle_file({str(SCAN)!r}), api_name="/predict"))
        time.sleep(3)
        os.kill(os.getpid(), signal.SIGTERM)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)

threading.Thread(target=ask, daemon=True).start()
sys.argv = ["space_app.py"]
page.main()
"""
RUNS = {
    "library": ("-c", LIBRARY),
    "command line": ("serve/infer.py", str(SCAN)),
    "export": ("-c", EXPORT),
    "train": ("-c", TRAIN),
    "app": ("-c", APP),
}
OPENED = re.compile(r'(?:openat|open|creat)\((?:\w+, )?"([^"]*)", [^)]*O_(?:WRONLY|RDWR|CREAT)')
CALLED = re.compile(r"\b(connect|sendto|sendmsg|sendmmsg)\((.*)")
HERE = re.compile(r'127\.0\.0\.1|"::1"|AF_UNIX|AF_NETLINK')
DEVICES = ("/dev/", "/proc/")
# Below the home: temporary files, Keras's settings, Matplotlib's list of fonts.
OWN = ("tmp/", ".keras/", ".cache/matplotlib/", ".config/matplotlib/")

needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="needs strace, which traces what a run asks the system"
)


def traced(run: str, home: Path) -> list[str]:
    """Network and file calls of a run in an empty home, as someone's shell would start it."""
    temporary = home / "tmp"
    temporary.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(ROOT),
        # as where someone has turned them on
        "ORT_DISABLE_TELEMETRY": "0",
        "GRADIO_ANALYTICS_ENABLED": "True",
        "GRADIO_SERVER_PORT": "7923",
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    log = home.with_suffix(".strace")
    calls = "trace=%network,openat,open,creat"
    done = subprocess.run(
        ["strace", "-f", "--seccomp-bpf", "-e", calls, "-o", log, sys.executable, *RUNS[run]],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return log.read_text(encoding="utf-8", errors="replace").splitlines()


def written(calls: list[str]) -> set[str]:
    """The files that were opened to be written."""
    paths = {found[1] for line in calls if (found := OPENED.search(line))}
    return {path for path in paths if not path.startswith(DEVICES)}


def sent(calls: list[str]) -> list[str]:
    """What went to another machine, or to a service of this one that would ask another."""
    return [
        line
        for line in calls
        if (found := CALLED.search(line)) and "sin" in found[2] and not HERE.search(found[2])
    ]


@needs_strace
@pytest.mark.parametrize("run", ["library", "command line"])
def test_nothing_is_written_and_nobody_asked(run, tmp_path):
    calls = traced(run, tmp_path)
    assert any(str(SCAN) in line for line in calls)
    assert not written(calls)
    assert not [line for line in calls if CALLED.search(line)]
    assert [path.name for path in tmp_path.iterdir()] == ["tmp"]


@needs_strace
@pytest.mark.slow
@pytest.mark.parametrize("run", ["export", "train", "app"])
def test_nothing_leaves_the_machine(run, tmp_path):
    """The app talks to its visitor, who is on this machine here."""
    calls = traced(run, tmp_path)
    own = tuple(str(tmp_path / name) for name in OWN)
    assert not {path for path in written(calls) if not path.startswith(own)}
    assert not sent(calls)


@needs_strace
def test_such_a_trace_shows_what_onnx_runtime_does_when_it_is_let(tmp_path):
    """So that the tests above can fail; CI machines are spared by ONNX Runtime itself."""
    ort = pytest.importorskip("onnxruntime")
    if tuple(map(int, ort.__version__.split(".")[:2])) < (1, 29):
        pytest.skip("this ONNX Runtime has no telemetry here")
    RUNS["bare"] = ("-c", f"import onnxruntime; {WAIT}")
    assert any(".onnxruntime/" in path for path in written(traced("bare", tmp_path)))


@pytest.mark.parametrize("package", ["serve", "train", "export"])
def test_every_entry_turns_it_off(package):
    """Whatever the environment said before."""
    code = f"import os, sys, {package}; print([os.environ[name] for name in {list(OFF)}])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | dict.fromkeys(OFF, "0"),
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == str(list(OFF.values())), done.stderr
