"""Publish the app and the model on Hugging Face: python -m export.publish --space USER/NAME

The token is that of `hf auth login` or of the environment variable HF_TOKEN. Without one, as
with --dry-run, the folders are written and nothing is uploaded.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError
from huggingface_hub.utils import logging, validate_repo_id

from export.hub_folders import ROOT, build_model, build_space
from serve.command import RESUMES, UserError, run

REFUSALS = {
    401: "the token is refused",
    402: "this account has to pay for such a Space",
    403: "the name is someone else's, or the token may not write to it",
    409: "the name is taken",
}


@dataclass(frozen=True)
class Repository:
    """A repository on the Hub, and the folder that it is to be equal to."""

    kind: Literal["model", "space"]
    name: str  # USER/NAME
    folder: Path

    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file())


def upload(api: HfApi, repository: Repository) -> tuple[str, bool]:
    """Make the repository equal to its folder; what is gone here goes there too.

    Returns:
        its address, and whether there was anything to change.

    Raises:
        UserError: the Hub cannot be reached, or refuses.
    """
    name, kind = repository.name, repository.kind
    sdk = "gradio" if kind == "space" else None
    try:
        url = api.create_repo(name, repo_type=kind, space_sdk=sdk, exist_ok=True)
        before = api.repo_info(name, repo_type=kind).sha
        commit = api.upload_folder(
            repo_id=name,
            repo_type=kind,
            folder_path=repository.folder,
            commit_message="Publish",
            delete_patterns="*",
        )
    except Exception as error:  # of HTTP, of threads and of hf_xet, which share no base but this
        raise UserError(f"{kind} {name}: {_reason(error, api.endpoint)}") from error
    return str(url), commit.oid != before


def main(argv: Sequence[str] | None = None) -> int:
    args = _parse(argv)
    logging.set_verbosity_error()
    repositories = _build(args)
    for repository in repositories:
        _print_files(repository)
    token = None if args.dry_run else _token()
    if token is None:
        why = "dry run" if args.dry_run else "no token (hf auth login, or HF_TOKEN)"
        print(f"{why}: nothing uploaded")
        return 0
    api = HfApi(token=token)
    for repository in repositories:
        url, changed = upload(api, repository)
        print(f"{url}: {'published' if changed else 'nothing changed'}", flush=True)
    return 0


def _build(args: argparse.Namespace) -> list[Repository]:
    """Write the folders; the model's comes first, for the Space's page links to it."""
    for name in filter(None, (args.space, args.model_repo)):
        _check_name(name)
    repositories = [Repository("space", args.space, args.output / "space")]
    build_space(repositories[0].folder, args.model_repo, args.gpu)
    if args.model_repo:
        repositories.insert(0, Repository("model", args.model_repo, args.output / "model"))
        build_model(repositories[0].folder)
    return repositories


def _check_name(name: str) -> None:
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise UserError(f"{name}: not USER/NAME ({error})") from error
    if "/" not in name:
        raise UserError(f"{name}: not USER/NAME")


def _token() -> str | None:
    token = get_token()
    if token and not (token.isascii() and token.isprintable()):  # else an error would quote it
        raise UserError("the token has characters that no token has")
    return token


def _print_files(repository: Repository) -> None:
    files = repository.files()
    total = sum(path.stat().st_size for path in files)
    print(
        f"{repository.kind} {repository.name}: "
        f"{len(files)} files, {total / 1e6:.1f} MB, in {repository.folder}"
    )
    for path in files:
        print(f"{path.stat().st_size:12,}  {path.relative_to(repository.folder)}")


def _reason(error: BaseException, endpoint: str) -> str:
    """What went wrong between us and the Hub, in one line."""
    while error.__cause__ and not isinstance(error, HTTPError):
        error = error.__cause__
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        said = f", {error.server_message}" if error.server_message else ""
        return f"{REFUSALS.get(status, 'the Hub cannot do it')} (HTTP {status}{said})"
    what = f"{type(error).__name__}: {error}"
    if isinstance(error, HTTPError | ConnectionError):
        return f"the connection to {endpoint} failed or broke off ({what}), try again"
    return what


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    summary, token = (part.strip() for part in __doc__.split("\n\n"))
    parser = argparse.ArgumentParser(
        prog="python -m export.publish", description=summary.split(":")[0] + ".", epilog=token
    )
    parser.add_argument("--space", required=True, metavar="USER/NAME")
    parser.add_argument("--model-repo", metavar="USER/NAME", help="publish the model there as well")
    parser.add_argument(
        "--output",
        type=Path,
        default=ROOT / "cache" / "hub",
        metavar="DIR",
        help="the folders are DIR/space and DIR/model (default: cache/hub)",
    )
    parser.add_argument(
        "--gpu", action="store_true", help="the Space runs on a GPU: install ONNX Runtime for CUDA"
    )
    parser.add_argument("--dry-run", action="store_true", help="write the folders, upload nothing")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(run(main, RESUMES))
