"""A small TripoSR as a repository of the hub: the reference model's files under a made-up name.

Standard library only: tests in Blender use it, too.
"""

import hashlib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "data" / "triposr_tiny"
REPO, COMMIT = "someone/Tiny", "89abcdef0123456789abcdef0123456789abcdef"
NAMES = ("config.yaml", "dino_config.json", "model.ckpt")
SIZE = sum((FOLDER / name).stat().st_size for name in NAMES)


def served() -> dict[str, bytes]:
    """What ``hub_server.Hub.files`` has to hold."""
    return {f"{REPO}/{COMMIT}/{name}": (FOLDER / name).read_bytes() for name in NAMES}


def facts() -> list[tuple[str, int, str]]:
    """Name, size and SHA-256 of each file."""
    contents = {name: (FOLDER / name).read_bytes() for name in NAMES}
    return [(name, len(each), hashlib.sha256(each).hexdigest()) for name, each in contents.items()]
