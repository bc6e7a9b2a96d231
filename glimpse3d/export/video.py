"""The turntable of a splat as an MP4: H.264, yuv420p, the same bytes on every run.

Owns the encoder's process and its options. Must not know how cameras were chosen. The encoder is
ffmpeg as imageio-ffmpeg brings it, one thread, fed through a pipe: frames are never all in memory.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import imageio_ffmpeg
import numpy as np

from ..errors import BackendUnavailable, InvalidData, OutputFailed
from ..progress import Progress
from ..splats.render import RenderSettings, render
from ..types import Camera, GaussianCloud, Image
from .folder import output_errors

WHITE = (1.0, 1.0, 1.0)

# Ctrl-C goes to the whole group of a terminal's processes; the encoder is ours to stop.
_DETACHED: dict[str, Any] = (
    {"creationflags": 0x08000200}  # CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP
    if os.name == "nt"
    else {"start_new_session": True}
)
# The conversion to YUV, and the marks that tell players of it; sRGB has BT.709's primaries.
_FILTERS = (
    # Without these flags the conversion differs between processors.
    "scale=out_color_matrix=bt709:out_range=limited:flags=bicubic+accurate_rnd+bitexact,"
    "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=iec61966-2-1"
)


def write_turntable(
    cloud: GaussianCloud,
    cameras: Sequence[Camera],
    fps: float,
    path: Path,
    progress: Progress,
    background: tuple[float, float, float] = WHITE,
) -> None:
    """Render ``cloud`` from every camera and encode the pictures, in order.

    Args:
        cloud: house frame.
        cameras: one a frame; all of one size, width and height even.
        fps: pictures per second.
        path: of the ``.mp4``; nothing is left of it if this fails or is cancelled.
        progress: every frame is a cancel point.
        background: red, green, blue 0..1 sRGB, behind the splats.

    Raises:
        InvalidData: no cameras, or of odd or different sizes.
        BackendUnavailable: there is no ffmpeg.
        OutputFailed, DiskFull: the encoder could not write.
    """
    sizes = {(camera.width, camera.height) for camera in cameras}
    if len(sizes) != 1:
        raise InvalidData("a video needs cameras, and all of one size")
    width, height = sizes.pop()
    if width % 2 or height % 2:
        raise InvalidData(f"a video of {width} x {height} pixels has an odd side", "make it even")
    settings = RenderSettings(background=background)
    with _encoder(path, width, height, fps) as write:
        for camera in progress.track(cameras, "frames of the turntable"):
            rgba = render(cloud, camera, settings).image().rgba
            write(np.ascontiguousarray(rgba[..., :3]).tobytes())


def write_video(frames: Sequence[Image], fps: float, path: Path) -> None:
    """Encode pictures, in order; what is transparent in them is shown in its own colour.

    Args:
        frames: all of one size, width and height even.
        fps: pictures per second.
        path: of the ``.mp4``; nothing is left of it if this fails.

    Raises:
        InvalidData: no pictures, or of odd or different sizes.
        BackendUnavailable: there is no ffmpeg.
        OutputFailed, DiskFull: the encoder could not write.
    """
    sizes = {(frame.width, frame.height) for frame in frames}
    if len(sizes) != 1:
        raise InvalidData("a video needs pictures, and all of one size")
    width, height = sizes.pop()
    if width % 2 or height % 2:
        raise InvalidData(f"a video of {width} x {height} pixels has an odd side", "make it even")
    with _encoder(path, width, height, fps) as write:
        for frame in frames:
            write(np.ascontiguousarray(frame.rgba[..., :3]).tobytes())


@contextmanager
def _encoder(path: Path, width: int, height: int, fps: float) -> Iterator[Callable[[bytes], None]]:
    """Something to hand raw RGB frames to; the file is whole when the block ends well."""
    with ExitStack() as stack:
        with output_errors(path):
            said = stack.enter_context(tempfile.TemporaryFile(dir=path.parent))
        process = _start(_command(path, width, height, fps), said)
        assert process.stdin is not None
        pipe = process.stdin

        def write(frame: bytes) -> None:
            try:
                pipe.write(frame)
            except OSError as error:
                process.wait()
                raise _refusal(path, said) from error

        try:
            yield write
            _finish(process, pipe, path, said)
        except BaseException:
            process.kill()
            process.wait()
            path.unlink(missing_ok=True)
            raise
        finally:
            with suppress(OSError):  # what is still in its buffer nobody will read
                pipe.close()


def _command(path: Path, width: int, height: int, fps: float) -> list[str]:
    raw = f"-f rawvideo -pixel_format rgb24 -video_size {width}x{height} -framerate {fps}"
    coded = "-c:v libx264 -preset medium -crf 18 -threads 1 -pix_fmt yuv420p"
    plain = "-map_metadata -1 -fflags +bitexact -flags:v +bitexact -movflags +faststart"
    try:
        program = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise BackendUnavailable("there is no ffmpeg", "install imageio-ffmpeg again") from error
    start = [program, "-hide_banner", "-loglevel", "error", "-y", *raw.split(), "-i", "pipe:0"]
    options = ["-vf", _FILTERS, *coded.split(), *plain.split()]
    return [*start, *options, f"file:{path}"]


def _start(command: list[str], said: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, **_DETACHED
        )
    except OSError as error:
        raise BackendUnavailable(
            f"ffmpeg does not start: {error.strerror}", "install imageio-ffmpeg again"
        ) from error


def _finish(process: subprocess.Popen[bytes], pipe: IO[bytes], path: Path, said: IO[bytes]) -> None:
    try:
        pipe.close()
    except OSError as error:
        process.wait()
        raise _refusal(path, said) from error
    if process.wait() != 0:
        raise _refusal(path, said)


def _refusal(path: Path, said: IO[bytes]) -> OutputFailed:
    """Why the encoder stopped: a full disk tells itself by refusing us too.

    Raises:
        DiskFull: instead, if that is why.
    """
    with output_errors(path), path.open("ab") as file:
        file.write(bytes(2**20))
        os.fsync(file.fileno())
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines()
    last = lines[-1] if lines else "it said nothing"
    return OutputFailed(f"the video could not be encoded: {last}", "please report this picture")
