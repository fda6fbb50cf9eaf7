"""axe finds nothing in any state of the page, in light and dark, on a desktop and a phone, where
nothing to touch is small."""

from __future__ import annotations

import pytest
from axe_playwright_python import sync_playwright as axe

from serve.app.framing import OPEN
from tests.serve.app.test_page import FILES_BOX, PHONE, SCAN_BOX, send
from tests.serve.app.test_viewer import stack as stack  # a fixture

SMALL = """() => [...document.querySelectorAll("button, a, input, label, summary, [role=tab]")]
  .filter((part) => part.checkVisibility() && part.getBoundingClientRect().width > 0)
  .map((part) => part.closest("label") ?? part)
  .filter((part) => Math.min(part.offsetWidth, part.offsetHeight) < 44)
  .map((part) => part.outerHTML.slice(0, 100))"""


@pytest.mark.slow
@pytest.mark.parametrize("scheme, size", [("light", None), ("dark", PHONE)])
def test_every_state(open_page, scans, stack, no_mri, bad_files, scheme, size):
    page = open_page(color_scheme=scheme, **({"viewport": size} if size else {}))
    page.get_by_text("Loading...", exact=True).wait_for(state="detached")
    said = {"at first": found(page, size)}
    send(page, scans[0])
    page.locator("#viewer").wait_for()
    said["an answer"] = found(page, size)
    page.get_by_role("radio", name="One over the other").check()
    said["one over the other"] = found(page, size)
    page.get_by_text(OPEN).click()
    said["a frame by hand"] = found(page, size)
    page.set_input_files(SCAN_BOX, stack)
    page.locator("#viewer .slices").wait_for()
    said["a stack"] = found(page, size)
    send(page, no_mri)
    said["a refusal"] = found(page, size)
    send(page, bad_files["words.jpg"][0])
    said["an error"] = found(page, size)
    page.get_by_role("tab", name="Several files").click()
    said["no files"] = found(page, size)
    page.set_input_files(FILES_BOX, [scans[0], stack, bad_files["words.jpg"][0], no_mri])
    page.locator(".cards").wait_for()
    page.get_by_text("The same as a table").click()
    said["cards"] = found(page, size)
    page.locator("[data-card='1']").click()
    page.locator("#card-viewer").wait_for()
    said["a card"] = found(page, size)
    for number in (0, 1, 3):
        page.locator(f"[name=compare][value='{number}']").check()
    page.get_by_role("button", name="Compare").click()
    page.locator("#card .compared").last.wait_for()
    said["compared"] = found(page, size)
    page.get_by_role("tab", name="About the model").click()
    page.get_by_role("heading", name="Limits").wait_for()
    said["about"] = found(page, size)
    assert said == {state: [] for state in said}


def small(page) -> list[str]:
    """What a finger may miss."""
    return page.evaluate(SMALL)


def found(page, size=None) -> list[str]:
    """What axe complains of, and on a phone what is small."""
    page.wait_for_timeout(400)  # while colours fade in
    violations = axe.Axe().run(page).response["violations"]
    said = [f"{one['id']}: {node['html'][:200]}" for one in violations for node in one["nodes"]]
    return said + (small(page) if size == PHONE else [])
