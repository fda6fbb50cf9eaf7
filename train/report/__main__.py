import sys

from serve.command import run
from train.report.blocks import main

if __name__ == "__main__":
    sys.exit(run(main))
