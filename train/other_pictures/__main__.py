import sys

from serve.command import run
from train.other_pictures.gather import main

if __name__ == "__main__":
    sys.exit(run(main))
