"""The command: brain-tumor-vgg16 scan.jpg, or python -m brain_tumor_vgg16 scan.jpg"""

from __future__ import annotations

import sys

from . import streams

SIGINT, SIGPIPE = 2, 13


def main() -> int:
    """Classify what the command line names.

    Returns:
        the exit status: 0, all answered; 1, some pictures could not be read; 2, the command line
        or the machine is at fault, as without ONNX Runtime; 141, whoever read the answers has had
        enough. A signal ends the process with 128 and its number: 130 after Ctrl-C, 143 after
        SIGTERM.
    """
    streams.open_closed()
    streams.end_on_signals()
    try:
        return _classify()
    except BrokenPipeError:
        streams.discard()
        return 128 + SIGPIPE
    except KeyboardInterrupt as error:
        number = error.number if isinstance(error, streams.Stopped) else SIGINT
        streams.end("; ".join(["interrupted", *streams.notes(error)]), 128 + number)


def _classify() -> int:
    try:
        from .infer import main
    except ImportError as error:
        streams.say(f"error: {error}")
        return 2
    streams.raise_on_signals()
    try:
        return main()
    except SystemExit as ended:  # argparse has given its help
        return int(ended.code or 0)


if __name__ == "__main__":
    sys.exit(main())
