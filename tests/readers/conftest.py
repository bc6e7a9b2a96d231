"""What needs transformers. Where it is not installed those files are left out, but never in CI."""

import importlib.util
import os

if importlib.util.find_spec("transformers") is None and os.environ.get("CI") != "true":
    collect_ignore = [
        "test_blip2.py",
        "test_commands.py",
        "test_depth_networks.py",
        "test_loading.py",
        "test_sam.py",
    ]
