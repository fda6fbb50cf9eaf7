"""The frame that a visitor draws around the scan, as HTML; framing.js does it."""

from __future__ import annotations

from collections.abc import Mapping

EDGES = {"left": 0, "top": 0, "right": 100, "bottom": 100}  # percent of the picture, at first
OPEN = "Frame the scan by hand"


def framing(
    width: int | str, height: int | str, drawn: Mapping[str, int | str] | None = None
) -> str:
    """A picture to draw on, and the frame's edges as sliders.

    Args:
        width, height: of the picture, in pixels.
        drawn: the edges of the frame that the answer is already one of.
    """
    sliders = "".join(
        f'<label>{edge.capitalize()} edge <input type="range" name="{edge}" min="0" max="100" '
        f'value="{at}"></label>'
        for edge, at in (drawn or EDGES).items()
    )
    back = '<button type="button" class="unframe">Take my frame away</button>' if drawn else ""
    return (
        f'<details class="framing" data-width="{width}" data-height="{height}"'
        f"{' open' if drawn else ''}>"
        f"<summary>{OPEN}</summary>"
        "<p>Draw a frame around the scan on the picture, or move its edges. "
        "The model then sees what is within.</p>"
        '<div class="canvas"><img alt=""><div class="frame"></div></div>'
        f'<div class="tools" role="group" aria-label="The frame\'s edges">{sliders}</div>'
        '<div class="tools"><button type="button" class="frame-it">'
        f"Classify what is within</button>{back}</div></details>"
    )
