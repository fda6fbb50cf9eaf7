"""Every snippet of "Use via API", run as it is printed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

ENDPOINTS = ("/predict", "/explain", "/predict_batch")
GRADIO = Path(sys.executable).with_name("gradio")  # its command
CLIENT = "@gradio/client@2"


@pytest.fixture(scope="module")
def snippets(app) -> dict[str, dict[str, str]]:
    with urlopen(f"{app.url}/gradio_api/info", timeout=60) as response:
        endpoints = json.load(response)["named_endpoints"]
    return {name: endpoint["code_snippets"] for name, endpoint in endpoints.items()}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("language", ["python", "bash", "cli"])
def test_a_snippet_answers(snippets, tmp_path, endpoint, language):
    snippet = snippets[endpoint][language]
    assert "None" not in snippet
    if language == "python":
        command = [sys.executable, "-c", snippet]
    elif shutil.which("curl"):
        command = ["bash", "-c", snippet.replace("{command}", str(GRADIO))]
    else:
        pytest.skip("needs curl")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "glioma" in done.stdout
    assert "error" not in done.stdout


@pytest.fixture(scope="module")
def with_client(tmp_path_factory) -> Path:
    """A folder in which Gradio's JavaScript client is installed."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    done = subprocess.run(
        ["npm", "install", "--silent", CLIENT], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.network
@pytest.mark.skipif(not shutil.which("npm"), reason="needs Node.js and npm")
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_javascript_snippet_answers(snippets, with_client, endpoint):
    script = with_client / f"{endpoint.strip('/')}.js"
    script.write_text(snippets[endpoint]["javascript"], encoding="utf-8")
    done = subprocess.run(
        ["node", script], cwd=with_client, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "glioma" in done.stdout


def test_the_page_prints_them_and_offers_no_mcp_server(app, browser, snippets):
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.goto(app.url)
    page.get_by_role("button", name="Use via API").click()
    page.locator(".snippet", has_text="cURL").click()
    page.get_by_text(snippets["/explain"]["bash"].splitlines()[-1]).wait_for()
    assert not page.locator(".snippet", has_text="MCP").is_visible()
    page.close()
