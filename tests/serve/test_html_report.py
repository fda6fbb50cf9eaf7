"""The page that --report writes."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from serve.names import INTENDED_USE
from tests.conftest import label_of

WORDS = {
    "glioma": "Glioma",
    "meningioma": "Meningioma",
    "notumor": "No tumour found",
    "pituitary": "Pituitary tumour",
}


class Page(HTMLParser):
    """What a report holds: its titles, its names, its pictures and what it would fetch."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.titles: list[str] = []
        self.names: list[str] = []
        self.pictures: list[str] = []
        self.addresses: list[str] = []
        self._into: list[str] | None = None
        self.text = file.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self._into = (
            self.titles if tag == "h2" else self.names if found.get("class") == "name" else None
        )
        if tag == "img":
            self.pictures.append(found["src"])
        self.addresses += [found[name] for name in ("src", "href") if name in found]

    def handle_data(self, data):
        if self._into is not None:
            self._into.append(data)
            self._into = None


@pytest.fixture
def mixed(scans, bar_chart, tmp_path) -> list[Path]:
    """Two scans, a stack of four, no scan, no picture."""
    stack = tmp_path / "Miller <b>.tiff"
    first, *others = (Image.open(scan).convert("L").resize((256, 256)) for scan in scans[2:6])
    first.save(stack, save_all=True, append_images=others)
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"")
    return [scans[0], scans[6], stack, bar_chart, bad]


def test_a_card_a_scan_or_series(cli, mixed, scans, tmp_path):
    status, lines, errors = cli("--report", tmp_path / "report.html", *mixed)
    assert (status, errors) == (1, [f"{mixed[-1]}: the file is empty"])
    assert len(lines) == 2 + 4 + 1 + 1
    page = Page(tmp_path / "report.html")
    assert page.titles == [
        *(WORDS[label_of(scan)] for scan in (scans[0], scans[6])),
        "A series of slices",
        "This does not look like a brain MRI",
        "This could not be read",
    ]
    assert page.names == list(map(str, mixed))
    assert len(page.pictures) == 2 + 2 + 2 * 2 + 1  # two of the stack's slices are suspicious
    assert all(one.startswith("data:image/jpeg;base64,") for one in page.addresses)
    assert INTENDED_USE.replace("'", "&#x27;") in page.text
    assert "in 100 were right on patients that this model had never seen" in page.text
    assert "brain_tumor_vgg16.int8.onnx, version " in page.text
    assert "<b>" not in page.text


def test_names_can_be_left_out(cli, mixed, tmp_path):
    assert cli("--report", tmp_path / "report.html", "--anonymous", *mixed)[0] == 1
    page = Page(tmp_path / "report.html")
    assert page.names == [f"Scan {number}" for number in range(1, 6)]
    text = re.sub('src="[^"]*"', "", page.text)
    assert not any(path.stem.split()[0] in text for path in mixed)
    assert str(tmp_path) not in text


def test_it_is_whole_or_not_there(cli, scans, tmp_path):
    report = tmp_path / "report.html"
    report.write_text("old", encoding="utf-8")
    taken = tmp_path / "maps"
    taken.write_bytes(b"")
    assert cli("--report", report, "--cam", taken, scans[0])[0] == 2
    assert report.read_text(encoding="utf-8") == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"maps", "report.html"}


def test_options_that_do_not_go_together(cli, scans, tmp_path):
    for words, message in (
        (["--anonymous"], "there is none"),
        (["--resume", "--csv", tmp_path / "a.csv", "--report", tmp_path / "r.html"], "--resume"),
        (["--report", scans[0]], "it is read"),
        (["--report", tmp_path / "a", "--csv", tmp_path / "a"], "two outputs"),
    ):
        status, lines, errors = cli(*words, scans[0])
        assert (status, lines, len(errors)) == (2, [], 1)
        assert message in errors[0]


def test_a_browser_shows_and_prints_it(cli, scans, browser, tmp_path):
    cli("--report", tmp_path / "report.html", *scans[:2])
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: said.append(request.url))
    page.goto((tmp_path / "report.html").as_uri())
    broken = "[...document.images].filter(one => !one.naturalWidth).length"
    assert page.evaluate(broken) == 0
    assert len(page.query_selector_all("img")) == 4
    assert page.pdf().startswith(b"%PDF")
    page.close()
    asked = [one for one in said if not one.startswith(("data:", "file:"))]
    assert asked == []
