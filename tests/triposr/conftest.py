"""What needs PyTorch. Where it is not installed these files are left out, but never in CI."""

import importlib.util
import os

if importlib.util.find_spec("torch") is None and os.environ.get("CI") != "true":
    collect_ignore_glob = ["test_*.py"]
