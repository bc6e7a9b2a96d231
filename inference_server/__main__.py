"""``python -m inference_server``: the command ``glimpse3d serve``."""

import sys

from glimpse3d.cli import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
