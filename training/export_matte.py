"""From a checkpoint of the cut-out's network to the file that the product runs, and its card.

Owns that file's input, output and metadata; how weights are halved is ``export``'s.
``python -m training.export_matte run/last.pt glimpse3d/data/cutout.onnx``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper

from .card import command_line, last_scores, write_card
from .cutouts import SIZE
from .export import halve
from .matte_network import CutoutNetwork

DATA = (
    "subjects and backgrounds drawn by the programs in training/, and crops of four photographs"
    " in the public domain that ship with scikit-image (training/backgrounds.py)"
)
log = logging.getLogger(__name__)


def load(checkpoint: Path) -> tuple[CutoutNetwork, dict[str, object]]:
    """The averaged network of a checkpoint, and what is known of its training."""
    state = torch.load(checkpoint, weights_only=True)
    network = CutoutNetwork(state["recipe"]["width"])
    network.load_state_dict(state["averaged"])
    known = {"step": state["step"], "minutes": round(state["minutes"], 1), **state["recipe"]}
    return network.eval(), known


def side_of(known: dict[str, object]) -> int:
    """Pixels of the pictures that a run ended on."""
    return SIZE // 2 if known["coarse"] == 1 else SIZE


def export(network: CutoutNetwork, known: dict[str, object], out: Path) -> str:
    """Write the file; returns its sha256.

    ``picture`` (N, 3, side, side) float32 in 0..1 becomes ``subject`` (N, side, side) logits.

    Raises:
        onnx.checker.ValidationError: the graph is not a valid one.
    """
    program = torch.onnx.export(
        network,
        (torch.zeros(2, 3, side_of(known), side_of(known)),),
        dynamo=True,
        input_names=["picture"],
        output_names=["subject"],
        dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
        verbose=False,
    )
    model = program.model_proto
    halve(model)
    helper.set_model_props(model, {"training": json.dumps(known, sort_keys=True)})
    onnx.checker.check_model(model)
    content = model.SerializeToString(deterministic=True)
    out.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def difference(network: CutoutNetwork, path: Path, picture: np.ndarray) -> float:
    """The largest difference in probability between torch and the file.

    ``picture`` is (N, 3, side, side) float32.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    said = torch.from_numpy(session.run(["subject"], {"picture": picture})[0])
    with torch.no_grad():
        true = network(torch.from_numpy(picture))
    return float((said.sigmoid() - true.sigmoid()).abs().max())


def main() -> None:
    """Export a checkpoint and say how far it is from torch."""
    logging.basicConfig(format="%(message)s")
    log.setLevel(logging.INFO)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    network, known = load(options.checkpoint)
    digest = export(network, known, options.out)
    side = side_of(known)
    noise = np.random.default_rng(0).random((2, 3, side, side), np.float32)
    command = command_line("training.train_matte", known, ("minutes", "batch", "rate", "coarse"))
    scores = last_scores(options.checkpoint.with_name("log.csv"), ("held_iou", "seen_iou"))
    write_card(options.out, DATA, command, known["step"], scores)
    log.info("%s: %d bytes, sha256 %s", options.out, options.out.stat().st_size, digest)
    log.info("largest difference from torch: %.2g", difference(network, options.out, noise))


if __name__ == "__main__":
    main()
