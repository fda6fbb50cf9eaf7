"""Gradio's Blocks, with errors that say what was wrong and no path of the server in a reply."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.exceptions import ComponentProcessingError, InvalidPathError
from gradio_client.utils import is_file_obj, traverse
from pydantic import ValidationError

from ..command import UserError
from .quiet import where
from .uploads import FOLDER, is_uploaded, refused

NOT_AS_EXPECTED = "No endpoint takes these arguments: “Use via API” names the endpoints and theirs."
FAILED = "The server failed to answer this; it is not your fault."

log = logging.getLogger(__name__)


class GuardedBlocks(gr.Blocks):
    """Blocks whose events take uploaded files only, and none from an address."""

    async def process_api(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401
        """As Gradio's; every exception becomes one line for the caller.

        Raises:
            gradio.Error: and nothing else.
        """
        try:
            result = await super().process_api(*args, **kwargs)
        except gr.Error:
            raise
        except UserError as error:
            raise refused(str(error)) from None
        except (ComponentProcessingError, InvalidPathError, ValidationError):
            raise refused(NOT_AS_EXPECTED) from None
        except Exception as error:
            log.error("an event failed: %s", where(error))
            raise refused(FAILED) from None
        finally:
            self._forget(kwargs.get("session_hash"))
        return result | {"data": _without_paths(result["data"])}

    def _forget(self, session: str | None) -> None:
        """Drop what Gradio remembers of a visitor, the answer's pictures too: no event needs it."""
        if session:
            self.state_holder.session_data.pop(session, None)
            self.state_holder.time_last_used.pop(session, None)

    async def preprocess_data(
        self,
        block_fn: BlockFunction,
        inputs: list[Any],
        *args: Any,  # noqa: ANN401
        **kwargs: Any,  # noqa: ANN401
    ) -> list[Any]:
        """As Gradio's; arguments left out at the end take their defaults."""
        traverse(inputs, _check, is_file_obj)
        defaults = [getattr(block, "value", None) for block in block_fn.inputs[len(inputs) :]]
        return await super().preprocess_data(block_fn, [*inputs, *defaults], *args, **kwargs)


def _check(file: dict[str, Any]) -> dict[str, Any]:
    if "://" in file["path"]:
        raise refused("Please send the file itself: no address is fetched.")
    if file["path"] and not is_uploaded(file["path"]):
        raise refused("That is no file that was uploaded here.")
    return file


def _without_paths(data: Any) -> Any:  # noqa: ANN401
    """`data`, its files' paths seen from the folder that the app works in."""
    folder = str(Path(FOLDER).resolve())

    def shorten(file: dict[str, Any]) -> dict[str, Any]:
        path, url = (str(file.get(key) or "").replace(folder, FOLDER) for key in ("path", "url"))
        return file | {"path": path, "url": url or None}

    return traverse(data, shorten, is_file_obj)
