"""A model from a repository on the Hugging Face Hub, as export.publish writes it."""

from __future__ import annotations

import os
from pathlib import Path

from .artifacts import METRICS_NAME
from .classifier import ModelError
from .command import UserError, one_line
from .metrics import read_metrics


def download(repository: str, name: str, revision: str | None = None) -> tuple[Path, str]:
    """A model, from the Hub or from the cache, and what it should have been made of.

    The cache, the offline mode (HF_HUB_OFFLINE), the token and the address of the Hub are those
    of huggingface_hub.

    Args:
        repository: USER/NAME.
        name: of the ONNX file in it.
        revision: a branch, a tag or a commit; by default the newest commit.

    Returns:
        the model's path, and the SHA-256 of the checkpoint that the figures of the same commit
        (its metrics.json) are of.

    Raises:
        ModelError: there is no such repository, revision or file, no connection and nothing in
            the cache, or huggingface_hub is not installed.
    """
    metrics = _file(repository, METRICS_NAME, revision)
    commit = metrics.parent.name  # the cache's snapshots/COMMIT/
    path = _file(repository, name, commit)
    try:
        return path, read_metrics(metrics.parent)["model"]["sha256"]
    except (UserError, LookupError, TypeError):
        raise ModelError(
            f"{repository}: its {METRICS_NAME} does not say which checkpoint it is of"
        ) from None


def _file(repository: str, name: str, revision: str | None) -> Path:
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # else every try that fails is a line
    try:
        from huggingface_hub import hf_hub_download
    except ImportError:
        raise ModelError(
            f"{repository}: the Hub needs huggingface_hub (pip install huggingface_hub)"
        ) from None
    try:
        return Path(hf_hub_download(repository, name, revision=revision))
    except Exception as error:  # of HTTP, of the cache and of names, which share no base but this
        raise ModelError(f"{repository}: {_reason(error, name)}") from error


def _reason(error: Exception, name: str) -> str:
    from huggingface_hub import errors

    if isinstance(error, errors.LocalEntryNotFoundError):
        why = one_line(error.__cause__ or error)
        return f"{name} is not in the cache, and the Hub cannot be reached ({why})"
    reasons = {
        errors.RepositoryNotFoundError: "there is no such repository, or it may not be read",
        errors.RevisionNotFoundError: "there is no such revision",
        errors.EntryNotFoundError: f"there is no {name} in it",
        errors.HFValidationError: "not USER/NAME",
    }
    known = [reason for kind, reason in reasons.items() if isinstance(error, kind)]
    return known[0] if known else f"{type(error).__name__}: {one_line(error)}"
