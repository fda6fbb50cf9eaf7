import sys

from train.report.blocks import main

if __name__ == "__main__":
    sys.exit(main())
