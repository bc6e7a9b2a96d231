"""What lies under ``deploy``: never built here, so it is held against rules and our own parser."""

import configparser
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from glimpse3d.cli import _parser

ROOT = Path(__file__).resolve().parents[2]
DOCKER = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
UNIT = (ROOT / "deploy" / "glimpse3d.service").read_text("utf-8")


def steps() -> list[tuple[str, str]]:
    """Instruction and the rest of each line, continued lines joined."""
    text = "\n".join(line for line in DOCKER.splitlines() if not line.startswith("#"))
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines if line.strip()]


def parsed(words: list[str]) -> object:
    assert words[0].rpartition("/")[2] == "glimpse3d"
    return _parser(words[1:]).parse_args(words[1:])


def test_the_image_is_of_one_known_base_and_runs_as_nobody_special() -> None:
    named = [name for name, _ in steps()]
    (base,) = [rest for name, rest in steps() if name == "FROM"]
    assert re.fullmatch(r"python:3\.11\.\d+-slim-[a-z]+", base)
    assert "latest" not in DOCKER and "ADD" not in named and "curl" not in DOCKER
    (user,) = [rest for name, rest in steps() if name == "USER"]
    assert user not in ("root", "0")
    assert named.index("USER") < named.index("HEALTHCHECK") < named.index("ENTRYPOINT")
    assert max(index for index, name in enumerate(named) if name == "RUN") < named.index("USER")
    assert not re.search(r"(?i)(secret|password|token|glimpse3d://)", DOCKER)


def test_what_is_copied_is_there_and_enough_to_build() -> None:
    sources = [word for name, rest in steps() if name == "COPY" for word in rest.split()[:-1]]
    assert all((ROOT / source).exists() for source in sources)
    needed = {"pyproject.toml", "constraints.txt", "README.md", "LICENSE"}
    assert needed | {"glimpse3d", "inference_server"} == set(sources)
    (install,) = [rest for name, rest in steps() if name == "RUN" and "pip" in rest]
    assert "-c constraints.txt" in install and "--no-cache-dir" in install
    extras = (ROOT / "pyproject.toml").read_text("utf-8")
    (argument,) = [rest for name, rest in steps() if name == "ARG"]
    for extra in argument.partition("=")[2].split(","):
        assert f"\n{extra} = [" in extras


def test_its_commands_are_commands() -> None:
    (entry,) = [json.loads(rest) for name, rest in steps() if name == "ENTRYPOINT"]
    assert entry[:2] == ["sh", "-c"]
    umask, _, serve = entry[2].partition("; exec ")
    words, _, kept = serve.partition(" > ")
    told = parsed(shlex.split(words))
    assert umask == "umask 077" and kept == "/data/connection-string"  # a key, in no log
    assert (told.host, told.name, told.port) == ("0.0.0.0", "127.0.0.1", 5555)
    (check,) = [rest for name, rest in steps() if name == "HEALTHCHECK"]
    parsed(json.loads(check.partition(" CMD ")[2]))
    assert ("EXPOSE", "5555") in steps() and ("VOLUME", "/data") in steps()
    assert ("STOPSIGNAL", "SIGTERM") in steps()


def test_the_unit_gives_away_what_the_server_does_not_need() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(UNIT)
    service = dict(unit["Service"])
    told = parsed(shlex.split(service["ExecStart"]))
    assert told.host == "127.0.0.1" and str(told.data) == "/var/lib/glimpse3d"
    assert service["User"] not in ("root", "0")
    assert service["StandardOutput"].startswith("truncate:/var/lib/")  # a key, in no journal
    for name, value in (
        ("NoNewPrivileges", "yes"), ("ProtectSystem", "strict"), ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"), ("StateDirectoryMode", "0700"), ("UMask", "0077"),
        ("CapabilityBoundingSet", ""), ("RestrictNamespaces", "yes"), ("LockPersonality", "yes"),
    ):  # fmt: skip
        assert service[name] == value, name
    assert "AF_INET" in service["RestrictAddressFamilies"]
    assert int(service["TimeoutStopSec"]) >= 60  # longer than a drain


def test_in_colab_its_terms_are_told_before_anything_is_served(tmp_path: Path) -> None:
    package = tmp_path / "google" / "colab"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    paths = [str(tmp_path), str(ROOT), os.environ.get("PYTHONPATH", "")]
    for known in (True, False):
        ran = subprocess.run(
            [sys.executable, "-m", "glimpse3d", "serve", "--data", str(tmp_path / "data"),
             "--attached"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths[not known :])},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        assert ("paid runtimes" in ran.stderr) is known
