"""The Space's folder runs by itself."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import venv

import pytest
from huggingface_hub import SpaceCard

from export.hub_folders import build_space


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("BRAIN_TUMOR_SLOW"), reason="installs 1 GB; BRAIN_TUMOR_SLOW=1 runs it"
)
def test_the_folder_runs_in_an_environment_of_its_own(tmp_path):
    """As the Space does: its requirements.txt, its app_file, and a call from outside."""
    from gradio_client import Client, handle_file

    folder = tmp_path / "space"
    build_space(folder, None, gpu=False)
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "-q", "-r", "requirements.txt"]
    subprocess.run(install, cwd=folder, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_ANALYTICS_ENABLED": "False",
    }
    app = SpaceCard.load(folder / "README.md").data.app_file
    with subprocess.Popen([python, app], cwd=folder, env=environment) as process:
        try:
            client = Client(wait_for(f"http://127.0.0.1:{port}", process))
            scan = folder / "serve" / "app" / "examples" / "Tr-gl_0044.jpg"
            assert "glioma" in str(client.predict(handle_file(scan), api_name="/predict"))
        finally:
            process.terminate()


def wait_for(url: str, process: subprocess.Popen, seconds: int = 180) -> str:
    """`url`, once something listens there."""
    host, port = url.removeprefix("http://").split(":")
    for _ in range(seconds):
        assert process.poll() is None, "the app has ended"
        with socket.socket() as probe:
            if not probe.connect_ex((host, int(port))):
                return url
        time.sleep(1)
    raise AssertionError(f"nothing listens at {url}")
