"""What visitors send: taken as it is, never decoded by Gradio, never fetched from an address."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from PIL import Image

from ..formats.raster import InvalidImageError, load_image

MAX_BYTES = 10 * 2**20
MOST_FILES = 100  # at once
LONGEST_NAME = 80  # characters that are shown

FileComponent = TypeVar("FileComponent", gr.Image, gr.File)


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a visitor."""

    name: str  # as the visitor calls it; never a path of the server
    path: Path

    def image(self) -> Image.Image:
        """The decoded picture: see `serve.formats.raster.load_image`.

        Raises:
            InvalidImageError: it is no picture that can be read here.
        """
        try:
            if self.path.stat().st_size > MAX_BYTES:
                raise InvalidImageError(self.name, f"it is over {MAX_BYTES // 2**20} MB")
            content = self.path.read_bytes()
        except OSError:
            raise InvalidImageError(
                self.name, "it is not here any more: please send it again"
            ) from None
        return load_image(content, self.name)


def received(file: dict[str, Any] | None) -> Upload:
    """What a file component sends to an event with `preprocess=False`: nothing decoded yet.

    Gradio has made sure by then that the path is one of an uploaded file.

    Raises:
        gradio.Error: nothing was sent.
    """
    if not file or not file["path"]:
        raise gr.Error("No file was sent.", print_exception=False)
    name = Path(file["orig_name"] or file["path"]).name
    printable = "".join(c if c.isprintable() else "?" for c in name)
    return Upload(printable[-LONGEST_NAME:] or "file", Path(file["path"]))


def received_all(files: list[dict[str, Any]] | None) -> list[Upload]:
    """As `received`, of a component that takes several files.

    Raises:
        gradio.Error: nothing was sent, or more than `MOST_FILES`.
    """
    if not files:
        raise gr.Error("No file was sent.", print_exception=False)
    if len(files) > MOST_FILES:
        raise gr.Error(
            f"{len(files)} files are too many: at most {MOST_FILES} at once.",
            print_exception=False,
        )
    return list(map(received, files))


def refuse_addresses(component: FileComponent) -> FileComponent:
    """`component`, but an address in place of a file is refused.

    Gradio would fetch it, whatever its size, on anyone's behalf.
    """
    move = component.async_move_resource_to_block_cache

    async def move_file(path: str | Path | None) -> str | None:
        if path and "://" in str(path):
            raise gr.Error(
                "Please send the file itself: no address is fetched.", print_exception=False
            )
        return await move(path)

    # Gradio has no setting for it.
    component.async_move_resource_to_block_cache = move_file  # type: ignore[assignment, method-assign]
    return component
