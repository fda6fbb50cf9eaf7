"""How the page behaves: several files, hosts, threads, phones, and what it says of itself."""

from __future__ import annotations

import csv
import gzip
import html
import json
import re
import shutil

import pytest

from serve.app.framing import OPEN
from serve.app.words import CLASSES, FRAMED, NO_MRI
from serve.artifacts import INT8_NAME, ONNX_NAME
from serve.command import UserError
from serve.crop import Crop
from serve.names import INTENDED_USE
from serve.unfamiliar import UNFAMILIAR
from serve.web.build import choose_model
from tests.conftest import label_of, run
from tests.serve.app.page_speed import layout_shift
from tests.serve.app.test_accessibility import found
from tests.serve.app.test_framing import AWAY, CLASSIFY, draw
from tests.serve.app.test_framing import collage as collage
from tests.serve.models import with_metadata
from tests.serve.web.visits import (
    BOX,
    PATIENCE,
    SITE,
    served,
    visit,
)
from tests.serve.web.visits import address as address
from tests.serve.web.visits import classifier as classifier
from tests.serve.web.visits import scans as scans
from tests.serve.web.visits import visited as visited

pytestmark = [
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("npm") is None, reason="needs Node.js and npm"),
]


def test_the_page_stays_alive_while_the_model_runs(visited):
    visited.page.evaluate("ticks = 0; ticking = setInterval(() => ticks++, 20)")
    visited.page.evaluate("ticks = 0")
    visited.example("Tr-me_0314.jpg")
    assert visited.page.evaluate("clearInterval(ticking); ticks") >= 5


def test_several_files_become_cards_with_a_report(visited, classifier, scans, tmp_path):
    (tmp_path / "words.jpg").write_text("these are words", encoding="utf-8")
    visited.page.set_input_files(BOX, [scans[0], scans[5], tmp_path / "words.jpg"])
    visited.page.get_by_text("2 of 3 files answered").wait_for(timeout=PATIENCE)
    cards = visited.page.locator(".cards > li")
    assert [scans[0].name in cards.nth(0).inner_text(), cards.count()] == [True, 3]
    with visited.page.expect_download() as download:
        visited.page.get_by_text("Download as CSV").click()
    rows = list(csv.reader(download.value.path().read_text("utf-8-sig").splitlines()))
    assert [row[0] for row in rows[1:]] == [scans[0].name, scans[5].name, "words.jpg"]
    said = [one.label for one in classifier.predict([scans[0], scans[5]])]
    assert [row[1] for row in rows[1:]] == [*said, ""]
    visited.page.get_by_role("radio", name="Not read (1)").check()
    assert visited.page.locator(".cards > li:visible").count() == 1
    visited.page.get_by_role("radio", name="All (3)").check()
    cards.nth(1).get_by_role("button").click()
    visited.page.locator("#viewer").wait_for()
    assert scans[5].name in visited.said()
    for place, count in (("#answers", 3), ("#viewer", 1)):
        report = saved_report(visited, place)
        assert report.count('<section class="card') == count
        assert INTENDED_USE in html.unescape(report)
        assert "data:image/jpeg" in report


def saved_report(visited, place: str) -> str:
    with visited.page.expect_download() as download:
        visited.page.locator(f"{place} .report").click()
    return download.value.path().read_text("utf-8")


def test_what_is_framed_by_hand_is_answered(visited, classifier, collage):
    page = visited.page
    assert visited.file(collage)["label"] is None
    page.get_by_text(OPEN).click()
    draw(page, 0.6, 0.1, 0.94, 0.6)
    answer = visited.answer(page.get_by_role("button", name=CLASSIFY).click)
    page.get_by_text(FRAMED).wait_for()
    crop = answer["crop"]
    assert [crop[side] for side in ("x", "y", "width", "height")] == pytest.approx(
        [540, 60, 306, 300], abs=10
    )
    sides = {side: crop[side] for side in ("x", "y", "width", "height")}
    expected = classifier.predict(collage, crop=Crop(**sides))
    assert answer["label"] == expected.label
    assert answer["probabilities"] == pytest.approx(expected.probabilities, abs=0.02)
    left = page.get_by_role("slider", name="Left edge")
    assert left.input_value() == "60"
    assert found(page) == []
    visited.answer(page.get_by_role("button", name=AWAY).click)
    page.get_by_role("heading", name=NO_MRI).wait_for()


def test_nothing_jumps(browser, address, scans):
    """Neither while the model loads nor when an answer comes."""
    first = visit(browser, address)
    first.example(scans[4].name)
    first.page.locator("#viewer").wait_for()
    assert layout_shift(first.page) < 0.1
    first.page.context.close()


def test_scans_are_compared_under_one_switch(visited, scans):
    visited.page.set_input_files(BOX, [scans[0], scans[4], scans[7]])
    visited.page.get_by_text("3 of 3 files answered").wait_for(timeout=PATIENCE)
    cards = visited.page.locator("#answers")
    cards.get_by_role("radio", name="Meningioma", exact=True).check()
    heats = visited.page.locator(".cards .heat:visible")
    assert [one.get_attribute("data-class") for one in heats.all()] == 3 * ["meningioma"]
    for number in (0, 1, 2):
        visited.page.locator(f"[name=compare][value='{number}']").check()
    visited.page.get_by_role("button", name="Compare side by side").click()
    compared = visited.page.locator("#pictures .compared")
    assert compared.count() == 3
    for one, scan in zip(compared.all(), (scans[0], scans[4], scans[7]), strict=True):
        assert scan.name in one.inner_text()
        assert CLASSES[label_of(scan)] in one.inner_text()
        assert one.locator(".bars tr").count() == 4
    report = saved_report(visited, "#pictures")
    assert report.count('<section class="card') == 3
    assert all(scans[number].name in report for number in (0, 4, 7))
    pictures = visited.page.locator("#pictures")
    pictures.get_by_role("radio", name="Pituitary tumour").check()
    heats = visited.page.locator("#pictures .heat:visible")
    assert [one.get_attribute("data-class") for one in heats.all()] == 3 * ["pituitary"]
    pictures.get_by_role("radio", name="One over the other").check()
    assert visited.page.locator("#pictures .view:visible").count() == 3
    assert found(visited.page) == []
    pictures.get_by_role("radio", name="Side by side").check()
    visited.example(scans[1].name)
    assert visited.page.locator("#pictures .view:visible").count() == 2


def test_what_the_page_says_of_itself(visited, classifier):
    assert INTENDED_USE in visited.page.locator(".disclaimer").first.inner_text()
    assert "your scan never leaves this machine" in visited.page.locator("main").inner_text()
    about = visited.page.locator("#about").inner_text()
    for name in ("model_version", "precision", "license"):
        assert classifier.metadata[name] in about
    assert classifier.metadata["source_sha256"][:12] in about


def test_on_a_host_that_sets_no_headers_it_is_isolated_all_the_same(browser, address, scans):
    """The service worker sets them; the browser itself keeps the page from asking other sites."""
    command = ("-m", "http.server", "--bind", "127.0.0.1", "--directory", SITE, "0")
    with served(*command) as elsewhere:
        there = visit(browser, elsewhere)
        assert there.page.evaluate("crossOriginIsolated")
        assert there.example(scans[4].name)["label"] == label_of(scans[4])
        fetch = "url => fetch(url, { mode: 'no-cors' }).then(() => 'sent', () => 'refused')"
        assert there.page.evaluate(fetch, elsewhere) == "sent"
        assert there.page.evaluate(fetch, address) == "refused"
        there.page.context.close()


def test_without_a_service_worker_it_runs_on_one_thread(browser, address, scans):
    command = ("-m", "http.server", "--bind", "127.0.0.1", "--directory", SITE, "0")
    with served(*command) as elsewhere:
        there = visit(browser, elsewhere, service_workers="block")
        assert "on 1 thread of this machine" in there.page.locator("#about").inner_text()
        assert there.example(scans[4].name)["label"] == label_of(scans[4])
        there.page.context.close()


def test_after_the_first_visit_it_works_without_a_network(browser, address, scans):
    first = visit(browser, address)
    first.page.context.set_offline(True)
    first.page.reload()
    first.page.wait_for_selector("body[data-ready]", timeout=PATIENCE)
    assert first.file(scans[4])["label"] == label_of(scans[4])
    first.page.context.close()


def test_the_first_visit_takes_less_than_20_mb(address):
    assert sum(path.stat().st_size for path in SITE.rglob("*") if path.is_file()) < 20e6


def test_isolation_gives_threads(visited):
    assert visited.page.evaluate("crossOriginIsolated")
    cores = visited.page.evaluate("Math.min(navigator.hardwareConcurrency, 8)")
    assert f"on {cores} thread" in visited.page.locator("#about").inner_text()


def test_where_threads_fail_one_does_it(browser, address, scans):
    context = browser.new_context(service_workers="block")
    page = context.new_page()
    page.route(
        re.compile(r"worker\.js\?threads=0"),
        lambda route: route.fulfill(
            body="postMessage({ failed: 'no threads' })",
            content_type="text/javascript",
            headers={"Cross-Origin-Embedder-Policy": "require-corp"},
        ),
    )
    page.goto(address)
    page.wait_for_selector("body[data-ready]", timeout=PATIENCE)
    assert "on 1 thread of this machine" in page.locator("#about").inner_text()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_width_colour_scheme_and_axe(browser, address, scans, scheme):
    phone = visit(browser, address, viewport={"width": 360, "height": 740}, color_scheme=scheme)
    for choose in (lambda: phone.example(scans[0].name), lambda: phone.file(scans[1])):
        choose()
        assert phone.page.evaluate("document.documentElement.scrollWidth") == 360
        assert found(phone.page) == []
    colour = phone.page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", colour))) / 3
    assert (brightness > 128) == (scheme == "light")
    phone.page.context.close()


def test_int8_is_preferred(tmp_path):
    with pytest.raises(UserError, match="neither"):
        choose_model(tmp_path)
    for name in (ONNX_NAME, INT8_NAME):
        (tmp_path / name).touch()
        assert choose_model(tmp_path).name == name


def test_mistakes_are_one_line(address):
    port = address.split(":")[-1].strip("/")
    for done, message in (
        (run("serve/web/server.py", "--port", port), f"cannot listen on port {port}"),
        (run("serve/web/build.py", env={"PATH": ""}), "npm is not installed"),
    ):
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_scan_that_is_unlike_is_said_to_be(browser, address, scans, tmp_path):
    record = json.dumps({"patients": [[0, 1, 1000, 990]], "hospitals": [[0, 1, 400, 380]]})
    model = with_metadata(tmp_path, ood_warning="0", track_record=record)
    context = browser.new_context(service_workers="block")
    body = gzip.compress(model.read_bytes(), 1)
    context.route("**/model.onnx.gz", lambda route: route.fulfill(body=body))
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("body[data-ready]", timeout=PATIENCE)
    page.set_input_files(BOX, scans[:1])
    page.wait_for_selector("#answer[data-answer]", timeout=PATIENCE)
    said = page.locator("#answer").inner_text().replace("\u00a0", " ")
    assert UNFAMILIAR in page.locator("#answer .warnings").inner_text()
    assert "95 in 100 were right on other hospitals' scans" in said
    assert "99 in 100" not in said
    context.close()
