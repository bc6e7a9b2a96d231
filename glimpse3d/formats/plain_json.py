"""JSON from strangers, read strictly: nothing that a number, a name or a depth could smuggle in.

Owns decoding with limits, encoding with fixed bytes, and the checks that readers share. Must not
know what a file means. Standard library only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import BadFile

MAX_DEPTH = 16


def encode(value: Mapping[str, Any]) -> bytes:
    """UTF-8, the same bytes for the same value; floats so that they read back exactly."""
    return (_text(value, "") + "\n").encode()


def _text(value: Any, indent: str) -> str:
    """Objects over several lines; lists of numbers, such as matrices, on one."""
    deeper = indent + " "
    if isinstance(value, Mapping) and value:
        lines = [f"{json.dumps(name)}: {_text(each, deeper)}" for name, each in value.items()]
        opening, closing = "{", "}"
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        lines = [_text(each, deeper) for each in value]
        opening, closing = "[", "]"
    else:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    body = f",\n{deeper}".join(lines)
    return f"{opening}\n{deeper}{body}\n{indent}{closing}"


def read_limited(path: Path, limit: int) -> bytes:
    """The file's bytes.

    Raises:
        BadFile: it cannot be read, or has more than ``limit`` bytes.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}", "check the path") from error
    if len(data) > limit:
        raise BadFile(f"{path.name} has more than {limit} bytes")
    return data


def decode(data: bytes, limit: int) -> dict[str, Any]:
    """The JSON object in ``data``.

    Raises:
        BadFile: not JSON, not an object, more than ``limit`` bytes, deeper than ``MAX_DEPTH``,
            a name twice, or a number that is not finite.
    """
    if len(data) > limit:
        raise BadFile(f"the file has more than {limit} bytes")
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_without_repeats,
            parse_constant=_refuse_number,
            parse_float=_finite,
        )
        _check_tree(value)
    except (ValueError, RecursionError) as error:
        raise BadFile(f"the file is not JSON as it should be: {error}") from error
    if not isinstance(value, dict):
        raise BadFile("the file holds no JSON object")
    return value


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return value


def _refuse_number(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is too large")
    return value


def _check_tree(value: Any) -> None:
    """Refuse great depth, and text that no UTF-8 file could hold (lone surrogates)."""
    level = [value]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner += [*each.keys(), *each.values()]
            elif isinstance(each, list):
                inner += each
            elif isinstance(each, str):
                each.encode()
        if not inner:
            return
        level = inner
    raise ValueError(f"it is nested deeper than {MAX_DEPTH}")


def member(value: Any, name: str, kind: type, where: str = "the file") -> Any:
    """``value[name]``, which must be there and of ``kind``; a whole number may stand for a float.

    Raises:
        BadFile: naming what is wrong where.
    """
    if not isinstance(value, dict) or name not in value:
        raise BadFile(f"{where} lacks {name!r}")
    found = value[name]
    if kind is float and type(found) is int and abs(found) <= 2**53:
        found = float(found)
    if type(found) is not kind:
        raise BadFile(f"{name!r} in {where} is not of type {kind.__name__}")
    return found
