"""What tests of serving share."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageDraw


@pytest.fixture
def bar_chart(tmp_path) -> Path:
    """A picture that is no brain MRI."""
    image = Image.new("RGB", (640, 480), "white")
    draw = ImageDraw.Draw(image)
    for number, colour in enumerate(("crimson", "orange", "gold", "green", "royalblue", "purple")):
        draw.rectangle((60 + 90 * number, 400 - 55 * number, 130 + 90 * number, 420), colour)
    draw.line((40, 420, 620, 420), "black", 4)
    draw.text((220, 20), "Sales by region", "black", font_size=28)
    path = tmp_path / "sales.png"
    image.save(path)
    return path


@pytest.fixture
def cli(capsys):
    """The command within this process: its exit status, its output and its errors, in lines."""
    from serve import infer

    def run(*words: str | Path) -> tuple[int, list[str], list[str]]:
        status = infer.main([str(word) for word in words])
        output, errors = capsys.readouterr()
        return status, output.splitlines(), errors.splitlines()

    return run
