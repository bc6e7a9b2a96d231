"""Compressed streams of strangers: gzip and zstd, unpacked only to the size that was announced.

Owns the limits. Must not know what a stream holds. gzip is the standard library's; zstd is that of
Python 3.14 and later, before it the package ``zstandard``.
"""

from __future__ import annotations

import zlib
from importlib import import_module
from typing import Any

from ..errors import BackendUnavailable, BadFile

# A stream that claims to grow more than this, to a size worth attacking with, is a bomb. Splats
# shrink to a half; only a cloud of equal splats comes near.
_GROWTH = 500
_HARMLESS = 16 * 2**20
# zstd reserves memory for as far as a frame says it looks back: at most this power of two, bytes.
_LARGEST_WINDOW = 27
# So much of a file is enough to unpack its header.
_HEAD = 1 << 16
_GZIP_LEVEL, _ZSTD_LEVEL = 4, 6
_HINT = "it was cut short or changed on its way; fetch it again"


def check_growth(packed: int, unpacked: int) -> None:
    """Refuse a bomb before anything is unpacked.

    Raises:
        BadFile: ``unpacked`` bytes cannot come out of ``packed``.
    """
    if unpacked > max(_HARMLESS, packed * _GROWTH):
        raise BadFile(f"{packed} bytes claim to hold {unpacked}", _HINT)


def gunzip_head(data: memoryview, size: int) -> bytes:
    """The first ``size`` bytes of what is in a gzip stream, or all if there are fewer.

    Raises:
        BadFile: not gzip, or damaged.
    """
    try:
        return zlib.decompressobj(wbits=31).decompress(data[:_HEAD], size)
    except zlib.error as error:
        raise BadFile(f"the compressed data are damaged: {error}", _HINT) from error


def gunzip(data: memoryview, size: int, spare: int = 0) -> bytes:
    """All of a gzip stream: ``size`` bytes, or up to ``spare`` more, with the right checksum.

    Raises:
        BadFile: damaged, or of another size.
    """
    check_growth(len(data), size)
    unpacker = zlib.decompressobj(wbits=31)
    try:
        result = unpacker.decompress(data, size + spare + 1)
    except zlib.error as error:
        raise BadFile(f"the compressed data are damaged: {error}", _HINT) from error
    if not size <= len(result) <= size + spare or not unpacker.eof:
        raise BadFile(f"the compressed data are not the {size} bytes announced", _HINT)
    return result


def gzip(data: bytes) -> bytes:
    """A gzip stream, the same bytes for the same data."""
    packer = zlib.compressobj(_GZIP_LEVEL, wbits=31)
    return packer.compress(data) + packer.flush()


def unzstd(data: memoryview, size: int) -> bytes:
    """All of a zstd frame, which must be ``size`` bytes.

    Raises:
        BadFile: damaged, or of another size.
        BackendUnavailable: this Python has no zstd.
    """
    check_growth(len(data), size)
    zstd = _zstd()
    try:
        if zstd.__name__ == "zstandard":
            limits = {"max_window_size": 1 << _LARGEST_WINDOW}
            result = zstd.ZstdDecompressor(**limits).stream_reader(data).read(size + 1)
        else:
            options = {zstd.DecompressionParameter.window_log_max: _LARGEST_WINDOW}
            result = zstd.ZstdDecompressor(options=options).decompress(data, size + 1)
    except zstd.ZstdError as error:
        raise BadFile(f"the compressed data are damaged: {error}", _HINT) from error
    if len(result) != size:
        raise BadFile(f"the compressed data are not the {size} bytes announced", _HINT)
    return bytes(result)


def zstd_frame(data: bytes) -> bytes:
    """A zstd frame.

    Raises:
        BackendUnavailable: this Python has no zstd.
    """
    zstd = _zstd()
    if zstd.__name__ == "zstandard":
        return bytes(zstd.ZstdCompressor(level=_ZSTD_LEVEL).compress(data))
    return bytes(zstd.compress(data, _ZSTD_LEVEL))


def _zstd() -> Any:
    for name in ("compression.zstd", "zstandard"):
        try:
            return import_module(name)
        except ModuleNotFoundError:
            continue
    raise BackendUnavailable(
        "the file is packed with zstd, which this Python does not have",
        "run: pip install zstandard, or use Python 3.14",
    )
