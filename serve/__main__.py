"""The command: brain-tumor-vgg16 scan.jpg, or python -m brain_tumor_vgg16 scan.jpg"""

from __future__ import annotations

import sys

from .command import run


def main() -> int:
    """Classify what the command line names.

    Returns:
        the exit status: 0, all classified; 1, some failed; 2, nothing could be done, as without
        ONNX Runtime.
    """
    return run(_classify)


def _classify() -> int:
    try:
        from .infer import main
    except ImportError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return main()


if __name__ == "__main__":
    sys.exit(main())
