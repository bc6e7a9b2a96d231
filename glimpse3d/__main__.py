"""``python -m glimpse3d``: the command line."""

import sys

from .cli import main

sys.exit(main())
