"""From a checkpoint to the file that the product runs, ONNX with float16 weights, and its card.

Owns the file's inputs, outputs and metadata, and the comparison with torch. Must not know training.

Weights are stored as float16 and cast to float32 where they are used, so that the file is small
and any runtime computes in float32.
``python -m training.export run/last.pt glimpse3d/data/reconstructor.onnx``.
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
from onnx import TensorProto, helper, numpy_helper

from . import frustum
from .card import command_line, last_scores, write_card
from .network import CHANNELS, Reconstructor

SMALLEST = 256  # weights with fewer numbers stay float32
INPUTS = ("picture", "tangent")
OUTPUTS = ("occupancy", "back", "elevation")
DATA = "shapes drawn by the programs in training/shapes, pictured by training/render.py, no others"
log = logging.getLogger(__name__)


def load(checkpoint: Path) -> tuple[Reconstructor, dict[str, object]]:
    """The averaged network of a checkpoint, and what is known of its training."""
    state = torch.load(checkpoint, weights_only=True)
    network = Reconstructor(state["recipe"]["width"])
    network.load_state_dict(state["averaged"])
    known = {"step": state["step"], "minutes": round(state["minutes"], 1), **state["recipe"]}
    return network.eval(), known


def halve(model: onnx.ModelProto) -> None:
    """Store large float32 weights as float16, cast back where the graph uses them."""
    kept, casts = [], []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or values.size < SMALLEST:
            kept.append(weight)
            continue
        stored = numpy_helper.from_array(values.astype(np.float16), f"{weight.name}.half")
        kept.append(stored)
        casts.append(helper.make_node("Cast", [stored.name], [weight.name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)


def describe(model: onnx.ModelProto, known: dict[str, object]) -> None:
    """Write the grid and the training into the file, so that the product need not guess."""
    grid = {
        "image": frustum.IMAGE,
        "grid": frustum.GRID,
        "bins": frustum.BINS,
        "depth_per_tangent": frustum.DEPTH_PER_TANGENT,
        "fill": frustum.FILL,
    }
    helper.set_model_props(
        model, {"frustum": json.dumps(grid), "training": json.dumps(known, sort_keys=True)}
    )


def export(network: Reconstructor, known: dict[str, object], out: Path) -> str:
    """Write the file; returns its sha256.

    Raises:
        onnx.checker.ValidationError: the graph is not a valid one.
    """
    any_number = {0: torch.export.Dim.DYNAMIC}
    example = (torch.zeros(2, CHANNELS, frustum.IMAGE, frustum.IMAGE), torch.full((2,), 0.36))
    program = torch.onnx.export(
        network,
        example,
        dynamo=True,
        input_names=list(INPUTS),
        output_names=list(OUTPUTS),
        dynamic_shapes=(any_number, any_number),
        verbose=False,
    )
    model = program.model_proto
    halve(model)
    describe(model, known)
    onnx.checker.check_model(model)
    content = model.SerializeToString(deterministic=True)
    out.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def difference(network: Reconstructor, path: Path, picture: np.ndarray) -> dict[str, float]:
    """The largest difference of each output between torch and the file.

    ``picture`` is (N, CHANNELS, IMAGE, IMAGE) float32.
    """
    import onnxruntime

    tangent = np.full(len(picture), frustum.half_tangent(frustum.FIELD_OF_VIEW), np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    said = session.run(list(OUTPUTS), dict(zip(INPUTS, (picture, tangent), strict=True)))
    with torch.no_grad():
        true = network(torch.from_numpy(picture), torch.from_numpy(tangent))
    pairs = zip(OUTPUTS, said, true, strict=True)
    return {name: float(np.abs(one - other.numpy()).max()) for name, one, other in pairs}


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
    noise = np.random.default_rng(0).random((2, CHANNELS, frustum.IMAGE, frustum.IMAGE), np.float32)
    command = command_line("training.train", known, ("minutes", "width", "batch", "rate", "uses"))
    scores = ("held_iou", "held_occupancy", "seen_iou", "seen_occupancy")
    logged = last_scores(options.checkpoint.with_name("log.csv"), scores)
    write_card(options.out, DATA, command, known["step"], logged)
    size = options.out.stat().st_size / 1e6
    log.info("%s: %.1f MB, sha256 %s", options.out, size, digest)
    log.info("largest differences from torch: %s", difference(network, options.out, noise))


if __name__ == "__main__":
    main()
