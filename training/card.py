"""The card that lies beside an exported network: where it comes from and what it must be.

Owns the fields that ``glimpse3d.embedded_weights`` and people read. Must not know networks.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

LICENCE = "GPL-3.0-or-later"


def write_card(
    network: Path, data: str, command: str, steps: object, scores: Mapping[str, float]
) -> None:
    """Write ``<name>.json`` beside ``<name>.onnx``.

    Args:
        network: the exported file.
        data: what it learnt from, a sentence.
        command: how it was trained.
        steps: how many.
        scores: of its log's last line.
    """
    content = network.read_bytes()
    card = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "licence": LICENCE,
        "data": data,
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "steps": steps,
        "scores": dict(scores),
    }
    network.with_suffix(".json").write_text(json.dumps(card, indent=1) + "\n", "utf-8")


def command_line(module: str, known: Mapping[str, object], names: Iterable[str]) -> str:
    """The command of a run, with the options that differ from run to run."""
    return f"python -m {module} " + " ".join(
        f"--{name.replace('_', '-')} {known[name]}" for name in names
    )


def last_scores(log_file: Path, names: Iterable[str]) -> dict[str, float]:
    """From the last line of a run's log; empty without one."""
    if not log_file.exists():
        return {}
    with log_file.open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    return {name: float(last[name]) for name in names}
