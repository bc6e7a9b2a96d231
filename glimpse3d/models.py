"""The models whose weights can be fetched: where they lie, how large they are, what they hash to.

Owns facts, pinned: a revision is a commit and a file is its SHA-256, so that two machines compute
with the same weights. Must not know caches, the network, or what a model does.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model.

    Attributes:
        name: its path inside the repository, with forward slashes.
        size: in bytes.
        sha256: lower-case hex.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Model:
    """Weights on the Hugging Face hub.

    Attributes:
        name: what ``glimpse3d models`` and settings call it.
        title: what people call it.
        licence: of the weights, as an SPDX identifier.
        repo_id: ``owner/name`` on the hub.
        revision: a commit, all 40 digits.
        files: all that is needed of the repository, and nothing else is fetched.
    """

    name: str
    title: str
    licence: str
    repo_id: str
    revision: str
    files: tuple[ModelFile, ...]

    @property
    def size(self) -> int:
        """Of all files together, in bytes."""
        return sum(file.size for file in self.files)


TRIPOSR = Model(
    name="triposr",
    title="TripoSR",
    licence="MIT",
    repo_id="stabilityai/TripoSR",
    revision="5b521936b01fbe1890f6f9baed0254ab6351c04a",
    files=(
        ModelFile(
            "config.yaml", 987, "74ca708ce086bf68e97709ea6b3d91f14717921c04691e84043f0eb8fcc68e62"
        ),
        ModelFile(
            "model.ckpt",
            1_677_246_742,
            "429e2c6b22a0923967459de24d67f05962b235f79cde6b032aa7ed2ffcd970ee",
        ),
    ),
)
KNOWN: dict[str, Model] = {each.name: each for each in (TRIPOSR,)}


def pinned(repo_id: str, revision: str) -> Model | None:
    """The known model of a repository, if ``revision`` is empty or the pinned one."""
    for model in KNOWN.values():
        if model.repo_id == repo_id and revision in ("", model.revision):
            return model
    return None
