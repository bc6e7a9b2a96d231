"""The listing by which Blender itself offers updates: ``index.json`` beside the ZIP files.

Owns what stands in it: each ZIP's own manifest, its size and its hash, as Blender's
``extension server-generate`` writes them. Put the folder on any web server, and its address into
Blender's repositories. Must not know how a ZIP is made. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

NAME = "index.json"
MANIFEST = "blender_manifest.toml"
# What of a manifest a listing repeats, in this order.
FIELDS = (
    "schema_version", "id", "name", "tagline", "version", "type", "maintainer", "license",
    "blender_version_min", "blender_version_max", "website", "copyright", "permissions", "tags",
    "platforms",
)  # fmt: skip


def write(folder: Path, version: str) -> Path:
    """List this version's ZIP files in ``folder``; older ones that lie there are left out."""
    archives = sorted(folder.glob(f"glimpse3d-{version}-*.zip"))
    values = {"version": "v1", "blocklist": [], "data": [entry(path) for path in archives]}
    path = folder / NAME
    near = path.with_suffix(".part")
    near.write_text(json.dumps(values, indent=2) + "\n", "utf-8")
    near.replace(path)
    return path


def entry(archive: Path) -> dict[str, Any]:
    """What Blender has to know of a ZIP before it fetches it."""
    with zipfile.ZipFile(archive) as opened:
        manifest = tomllib.loads(opened.read(MANIFEST).decode())
    row = {name: manifest[name] for name in FIELDS if name in manifest}
    if pythons := versions(manifest.get("wheels", ())):
        row["python_versions"] = pythons
    data = archive.read_bytes()
    return row | {
        "archive_url": f"./{archive.name}",
        "archive_size": len(data),
        "archive_hash": f"sha256:{hashlib.sha256(data).hexdigest()}",
    }


def versions(wheels: list[str]) -> list[str]:
    """The Pythons that the wheels name. One for the stable ABI names none: it fits all after it."""
    tags = [PurePosixPath(each).stem.split("-")[-3:] for each in wheels]
    named = {
        (int(tag[2]), int(tag[3:]))
        for python, abi, _ in tags
        if not abi.startswith("abi")
        for tag in python.split(".")
        if tag.startswith("cp") and len(tag) > 3
    }
    return [f"{major}.{minor}" for major, minor in sorted(named)]
