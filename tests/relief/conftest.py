"""What needs PyTorch and transformers; left out where they are absent, but never in CI."""

import importlib.util
import os

_PACKAGES = ("torch", "transformers", "xatlas")
if os.environ.get("CI") != "true" and not all(map(importlib.util.find_spec, _PACKAGES)):
    collect_ignore = ["test_dif3d.py", "test_networks.py"]
