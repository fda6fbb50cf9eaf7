"""How soon a visitor sees the page, and an example's answer: python -m tests.serve.app.page_speed

Starts the app, opens it in Chromium five times, and writes the medians as `page` into
models/metrics.json, and the most that a page's content jumped (https://web.dev/articles/cls).
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import time

from playwright.sync_api import Browser, Page, sync_playwright

from export.metadata import of_model
from serve.artifacts import INT8_NAME, MODELS
from serve.metrics import write_metrics
from tests.conftest import BROWSER_FLAGS
from tests.serve.app.server import running_app

VISITS = 5
EXAMPLES = ("glioma", "meningioma", "pituitary")
SHIFTS = """() => new Promise((done) => {
  let sum = 0;
  const add = (entry) => (sum += entry.hadRecentInput ? 0 : entry.value);
  new PerformanceObserver((list) => list.getEntries().forEach(add))
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(sum), 200);
})"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def main() -> int:
    with running_app() as app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=BROWSER_FLAGS
        )
        visits = [visit(browser, app.url) for _ in range(1 + VISITS)][1:]  # the first warms up
        browser.close()
    figures = {
        "first_paint_seconds": statistics.median(paint for paint, _, _ in visits),
        "answer_seconds": statistics.median(time for _, answers, _ in visits for time in answers),
        "layout_shift": max(shift for _, _, shift in visits),
        "cores": os.cpu_count(),
    }
    print("\n".join(f"{name} {value:.3g}" for name, value in figures.items()))
    write_metrics(MODELS, "page", figures, of_model(MODELS / INT8_NAME))
    return 0


def visit(browser: Browser, address: str) -> tuple[float, list[float], float]:
    """Seconds to the first paint with an empty browser cache, and to each example's answer; and
    `layout_shift` in the end."""
    page = browser.new_page()
    page.goto(address)
    paint = page.wait_for_function(PAINT).json_value() / 1000
    page.get_by_role("button", name="Example").first.wait_for()
    page.wait_for_timeout(2000)  # as a visitor looks at it first
    answers = [_answer(page, name) for name in EXAMPLES]
    shift = layout_shift(page)
    page.close()
    return paint, answers, shift


def layout_shift(page: Page) -> float:
    """How far the page's content has jumped by itself since it was opened."""
    return page.evaluate(SHIFTS)


def _answer(page: Page, name: str) -> float:
    started = time.monotonic()
    example = page.get_by_role("button", name=f"Example: {name}").first
    example.click()
    page.locator(".answer .file", has_text=example.get_attribute("data-name")).wait_for()
    page.locator("#viewer").wait_for()
    return time.monotonic() - started


if __name__ == "__main__":
    sys.exit(main())
