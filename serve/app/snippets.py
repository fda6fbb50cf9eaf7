"""The snippets of "Use via API": each runs as it is printed, on an example scan of this server."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from gradio import routes

from ..artifacts import EXAMPLES

SCAN = "scan.jpg"  # what the snippets call it
PYTHON = {"true": "True", "false": "False"}  # what JSON writes otherwise
COMMENT = "or a scan of your own"


def replace_snippets() -> None:
    """Have Gradio print these: its own fetch a file that does not exist. It has no setting."""
    routes.generate_code_snippets = code_snippets  # type: ignore[attr-defined]
    routes.generate_cli_snippet = cli_snippets  # type: ignore[attr-defined]


def code_snippets(
    api_name: str,
    endpoint_info: Mapping[str, Any],
    root: str,
    space_id: str | None = None,
    api_prefix: str = "/",
) -> dict[str, str]:
    """As `gradio_client.snippet.generate_code_snippets`, whose arguments these are.

    Returns:
        the code in python, javascript and bash.
    """
    server, source = root.rstrip("/"), space_id or root
    example = f"{server}/examples/{_example()}"
    parameters = endpoint_info["parameters"]
    python = _arguments(
        parameters,
        f'handle_file("{SCAN}")',
        lambda name, value: f"{name}={PYTHON.get(value, value)}",
    )
    javascript = _arguments(parameters, "handle_file(scan)", "{}: {}".format)
    data = _arguments(parameters, _file("'\"$FILE\"'"), lambda _, value: value)
    call = f"{server}{api_prefix}call{api_name}"
    return {
        "python": f"""\
from urllib.request import urlretrieve

from gradio_client import Client, handle_file

urlretrieve("{example}", "{SCAN}")  # {COMMENT}
client = Client("{source}")
print(client.predict({python}, api_name="{api_name}"))""",
        "javascript": f"""\
import {{ Client, handle_file }} from "@gradio/client";

const scan = await (await fetch("{example}")).blob(); // {COMMENT}
const client = await Client.connect("{source}");
const result = await client.predict("{api_name}", {{ {javascript} }});
console.log(JSON.stringify(result.data));""",
        "bash": f"""\
curl -s -o {SCAN} {example}  # {COMMENT}
FILE=$(curl -s -F files=@{SCAN} {server}{api_prefix}upload | cut -d '"' -f 2)
EVENT=$(curl -s -H "Content-Type: application/json" \\
  -d '{{"data": [{data}]}}' \\
  {call} | cut -d '"' -f 4)
curl -sN {call}/$EVENT""",
    }


def cli_snippets(endpoints: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """As `hf_gradio.cli.generate_cli_snippet`: Gradio fills in the command and the server."""
    host = os.environ.get("SPACE_HOST")  # a Space is called by its name, not by its address
    server = f"https://{host}" if host else "{space_id}"
    snippets = {}
    for api_name, info in endpoints.items():
        payload = _arguments(info["parameters"], _file(SCAN), '"{}": {}'.format)
        snippets[api_name] = (
            f"curl -s -o {SCAN} {server}/examples/{_example()}  # {COMMENT}\n"
            f"{{command}} predict {{space_id}} {api_name} '{{{payload}}}'"
        )
    return snippets


def _arguments(
    parameters: list[dict[str, Any]], file: str, written: Callable[[str, str], str]
) -> str:
    """Every parameter with a value: a file's is `file`, the others' their default."""
    pairs = []
    for one in parameters:
        example = one["example_input"]
        if one["component"] == "File":
            value = f"[{file}]" if isinstance(example, list) else file
        else:
            value = json.dumps(one["parameter_default"])
        pairs.append(written(one["parameter_name"], value))
    return ", ".join(pairs)


def _file(path: str) -> str:
    return f'{{"path": "{path}", "meta": {{"_type": "gradio.FileData"}}}}'


def _example() -> str:
    return min(EXAMPLES.glob("*.jpg")).name
