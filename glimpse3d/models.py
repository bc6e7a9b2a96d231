"""The models whose weights can be fetched: where they lie, how large they are, what they hash to.

Owns facts, pinned: a revision is a commit, and a file is its SHA-256 where that is known, so that
two machines compute with the same weights. Must not know caches, the network, or what a model does.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model.

    Attributes:
        name: its path inside the repository, with forward slashes.
        size: in bytes; about as many where ``sha256`` is empty.
        sha256: lower-case hex. Empty where the commit alone pins the content: what the hub names
            for it there is checked and kept when the file is fetched, see ``weights.settled``.
    """

    name: str
    size: int
    sha256: str = ""


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
# Beside large files the small ones are configuration: a commit pins them as well as a checksum.
SAM = Model(
    name="sam",
    title="Segment Anything, base",
    licence="Apache-2.0",
    repo_id="facebook/sam-vit-base",
    revision="70c1a07f894ebb5b307fd9eaaee97b9dfc16068f",
    files=(
        ModelFile("config.json", 6_570),
        ModelFile("preprocessor_config.json", 466),
        ModelFile("model.safetensors", 375_000_000),
    ),
)
DPT_LARGE = Model(
    name="dpt-large",
    title="DPT large (MiDaS 3)",
    licence="Apache-2.0",
    repo_id="Intel/dpt-large",
    revision="bc15f29aa3a80d532f2ed650b5e16ac48d8958f9",
    files=(
        ModelFile("config.json", 942),
        ModelFile("preprocessor_config.json", 285),
        ModelFile("model.safetensors", 1_370_000_000),
    ),
)
DPT_HYBRID = Model(
    name="dpt-hybrid",
    title="DPT hybrid (MiDaS 3)",
    licence="Apache-2.0",
    repo_id="Intel/dpt-hybrid-midas",
    revision="11eaf7a1cf4bd70740697dbc216f98980c0aeb03",
    files=(
        ModelFile("config.json", 9_880),
        ModelFile("preprocessor_config.json", 382),
        ModelFile("pytorch_model.bin", 490_000_000),
    ),
)
GLPN_NYU = Model(
    name="glpn-nyu",
    title="GLPN for rooms",
    licence="Apache-2.0",
    repo_id="vinvino02/glpn-nyu",
    revision="b5465ed22b76b5b3368cce02c1c85f384faa6549",
    files=(
        ModelFile("config.json", 920),
        ModelFile("preprocessor_config.json", 137),
        ModelFile("pytorch_model.bin", 245_000_000),
    ),
)
GLPN_KITTI = Model(
    name="glpn-kitti",
    title="GLPN for streets",
    licence="Apache-2.0",
    repo_id="vinvino02/glpn-kitti",
    revision="e9e84852cb27aa6347db0f98bf86e296505ac014",
    files=(
        ModelFile("config.json", 920),
        ModelFile("preprocessor_config.json", 137),
        ModelFile("pytorch_model.bin", 245_000_000),
    ),
)
BLIP2 = Model(
    name="blip2",
    title="BLIP-2 with OPT 2.7B",
    licence="MIT",
    repo_id="Salesforce/blip2-opt-2.7b",
    revision="59a1ef6c1e5117b3f65523d1c6066825bcf315e3",
    files=(
        ModelFile("config.json", 1_000),
        ModelFile("generation_config.json", 141),
        ModelFile("preprocessor_config.json", 432),
        ModelFile("merges.txt", 456_000),
        ModelFile("tokenizer.json", 3_600_000),
        ModelFile("tokenizer_config.json", 1_000),
        ModelFile("vocab.json", 798_000),
        ModelFile("model.safetensors.index.json", 122_000),
        ModelFile(
            "model-00001-of-00002.safetensors",
            9_996_328_120,
            "b81228c9ac1b3dee1731ee71d51fe3b2c34f915019c44c25a793b51300ae24fc",
        ),
        ModelFile(
            "model-00002-of-00002.safetensors",
            4_982_879_016,
            "536bd73b8f1de7d94f503b23fea2eaa4f7f3ea5f74f8f874fcb21d6df1555a19",
        ),
    ),
)
KNOWN: dict[str, Model] = {
    each.name: each for each in (TRIPOSR, SAM, DPT_LARGE, DPT_HYBRID, GLPN_NYU, GLPN_KITTI, BLIP2)
}


def pinned(repo_id: str, revision: str) -> Model | None:
    """The known model of a repository, if ``revision`` is empty or the pinned one."""
    for model in KNOWN.values():
        if model.repo_id == repo_id and revision in ("", model.revision):
            return model
    return None
