"""The README's pictures of the app: python -m tests.serve.app.pictures

Starts the app, uses it in Chromium as a visitor would, and writes tests/serve/app/shots/*.webp.
"""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.conftest import BROWSER_FLAGS, SCANS, SHARED
from tests.serve.app.server import running_app

SHOTS = Path(__file__).with_name("shots")
VOLUME = SHARED / "data" / "volumes" / "gbm_02_t1.nii.gz"
SHEET = SHARED / "cases" / "files" / "film_sheet_20.jpg"
QUALITY = 88  # of WebP: a picture stays under 150 kB
DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}


def main() -> int:
    missing = [path for path in (VOLUME, SHEET) if not path.is_file()]
    if missing:
        print(f"error: needs {', '.join(map(str, missing))}", file=sys.stderr)
        return 1
    with running_app("--no-keras") as app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=BROWSER_FLAGS
        )
        for name, (use, size, scheme) in SCENES.items():
            path = SHOTS / f"{name}.webp"
            path.write_bytes(shot(browser, app.url, use, size, scheme))
            print(f"wrote {path}: {path.stat().st_size / 1000:.0f} kB")
        browser.close()
    return 0


def shot(
    browser: Browser, url: str, use: Callable[[Page], None], size: dict[str, int], scheme: str
) -> bytes:
    """A picture of the page after it was used."""
    page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    page.set_default_timeout(120_000)
    page.goto(url)
    page.wait_for_function("() => Boolean(window.showClass)")
    use(page)
    page.wait_for_timeout(1500)  # while it scrolls and fades in
    png = page.screenshot()
    page.close()
    Image.open(io.BytesIO(png)).convert("RGB").save(
        file := io.BytesIO(), "WEBP", quality=QUALITY, method=6
    )
    return file.getvalue()


def _answer(page: Page) -> None:
    page.get_by_role("button", name="Example: meningioma").last.click()
    page.locator("#viewer").wait_for()


def _volume(page: Page) -> None:
    page.set_input_files("#scan-box input[type=file]", VOLUME)
    page.locator("#viewer .slices").wait_for()


def _cards(page: Page) -> None:
    page.get_by_role("tab", name="Several files").click()
    scans = sorted(SCANS.glob("*.jpg"))
    page.set_input_files("#files-box input[type=file]", [*scans, VOLUME, SHEET])
    page.locator(".cards").wait_for()
    page.get_by_role("radio", name="The likeliest tumour").check()
    page.get_by_role("radio", name="The likeliest tumour").blur()


SCENES = {
    "answer": (_answer, DESKTOP, "light"),
    "volume": (_volume, DESKTOP, "light"),
    "cards": (_cards, DESKTOP, "light"),
    "phone": (_answer, PHONE, "dark"),
}


if __name__ == "__main__":
    sys.exit(main())
