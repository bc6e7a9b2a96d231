"""Which NVIDIA GPU and driver this machine has; run by itself, beside Blender.

Owns the two ways of asking: the driver's own command, and its library. Standard library only and
no import of ours: Blender's Python runs this file as a program, because a driver may take seconds.
Prints one JSON map: ``gpus`` (name, memory_mb), ``driver``, ``cuda`` (13000 is 13.0), ``seen_by``.
"""

from __future__ import annotations

import ctypes
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

SECONDS = 20.0
FIELDS = "name,memory.total,driver_version"
MIB = 2**20
NOTHING: dict[str, Any] = {"gpus": [], "driver": "", "cuda": 0, "seen_by": ""}


def command() -> str | None:
    """The driver's own command; on Windows older drivers keep it beside themselves."""
    old = Path("C:/Program Files/NVIDIA Corporation/NVSMI/nvidia-smi.exe")
    return shutil.which("nvidia-smi") or (str(old) if old.exists() else None)


def by_command() -> dict[str, Any]:
    """What ``nvidia-smi`` says."""
    program = command()
    if program is None:
        return NOTHING
    asked = [program, f"--query-gpu={FIELDS}", "--format=csv,noheader,nounits"]
    try:
        rows = subprocess.run(asked, capture_output=True, text=True, timeout=SECONDS)
        plain = subprocess.run([program], capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return NOTHING
    return read(rows.stdout if rows.returncode == 0 else "", plain.stdout)


def read(rows: str, plain: str) -> dict[str, Any]:
    """The answers of ``nvidia-smi``: to the question, and its table, which alone names CUDA."""
    gpus, driver = [], ""
    for row in rows.splitlines():
        name, memory, version = (each.strip() for each in row.rsplit(",", 2))
        gpus.append({"name": name, "memory_mb": int(memory) if memory.isdigit() else 0})
        driver = version
    found = re.search(r"CUDA (?:UMD )?Version: *(\d+)\.(\d+)", plain)
    cuda = 1000 * int(found[1]) + 10 * int(found[2]) if found else 0
    return {"gpus": gpus, "driver": driver, "cuda": cuda, "seen_by": "nvidia-smi"}


def by_library() -> dict[str, Any]:
    """What the driver's library says, where the command is missing, as in many containers."""
    try:
        name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
        cuda = ctypes.CDLL(name)
    except OSError:
        return NOTHING
    version, count = ctypes.c_int(), ctypes.c_int()
    if cuda.cuInit(0) or cuda.cuDriverGetVersion(ctypes.byref(version)):
        return NOTHING
    cuda.cuDeviceGetCount(ctypes.byref(count))
    gpus = [_device(cuda, index) for index in range(count.value)]
    return {"gpus": gpus, "driver": _version_file(), "cuda": version.value, "seen_by": name}


def _device(cuda: Any, index: int) -> dict[str, Any]:
    device, memory = ctypes.c_int(), ctypes.c_size_t()
    name = ctypes.create_string_buffer(128)
    cuda.cuDeviceGet(ctypes.byref(device), index)
    cuda.cuDeviceGetName(name, len(name), device)
    cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    return {"name": name.value.decode("utf-8", "replace"), "memory_mb": memory.value // MIB}


def _version_file() -> str:
    try:
        text = Path("/proc/driver/nvidia/version").read_text("utf-8")
    except OSError:
        return ""
    found = re.search(r"\b(\d+\.\d+(?:\.\d+)?)\b", text)
    return found[1] if found else ""


def main() -> None:
    """Print what was found: the first way that sees a GPU."""
    found = by_command()
    if not found["gpus"]:
        found = by_library()
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
