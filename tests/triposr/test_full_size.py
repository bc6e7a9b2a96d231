"""The published size: 1.7 GB of random weights, loaded and asked once, in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from glimpse3d.reconstructors.triposr.network import TripoSR
from tests.triposr.test_network import PUBLISHED

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
cond_image_size: 512
image_tokenizer_cls: tsr.models.tokenizers.image.DINOSingleImageTokenizer
image_tokenizer: {pretrained_model_name_or_path: facebook/dino-vitb16}
tokenizer_cls: tsr.models.tokenizers.triplane.Triplane1DTokenizer
tokenizer: {plane_size: 32, num_channels: 1024}
backbone_cls: tsr.models.transformer.transformer_1d.Transformer1D
backbone:
  in_channels: ${tokenizer.num_channels}
  num_attention_heads: 16
  attention_head_dim: 64
  num_layers: 16
  cross_attention_dim: 768
post_processor_cls: tsr.models.network_utils.TriplaneUpsampleNetwork
post_processor: {in_channels: 1024, out_channels: 40}
decoder_cls: tsr.models.network_utils.NeRFMLP
decoder: {in_channels: 120, n_neurons: 64, n_hidden_layers: 9, activation: silu}
renderer_cls: tsr.models.nerf_renderer.TriplaneNeRFRenderer
renderer:
  radius: 0.87
  feature_reduction: concat
  density_activation: exp
  density_bias: -1.0
  num_samples_per_ray: 128
"""
MEASURE = """
import json, pathlib, sys, time
import numpy as np
from glimpse3d.reconstructors.triposr.network import TripoSR

def peak():
    # Unlike getrusage, this starts anew with each program.
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

bare, start = peak(), time.process_time()
network = TripoSR.from_pretrained(sys.argv[1])
loading = time.process_time() - start
loaded = peak()
codes = network.encode(np.zeros((64, 64, 3), np.uint8))
print(json.dumps({"loading": loading, "bare": bare, "loaded": loaded, "encoded": peak(),
                  "shape": list(codes.shape)}))
"""


def write(folder: Path) -> None:
    with torch.device("meta"):
        names = TripoSR(PUBLISHED).state_dict()
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for name, each in names.items():
        weights[name] = torch.empty(each.shape).normal_(0, 0.02, generator=generator)
    torch.save(weights, folder / "model.ckpt")
    (folder / "config.yaml").write_text(CONFIG, "utf-8")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read as Linux tells it")
def test_it_loads_fast_and_into_little_memory(tmp_path: Path) -> None:
    write(tmp_path)
    assert (tmp_path / "model.ckpt").stat().st_size > 1_677_000_000
    command = [sys.executable, "-c", MEASURE, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=900)
    (tmp_path / "model.ckpt").unlink()
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["loading"] < 2.5
    assert found["loaded"] < 0.7e9
    assert found["encoded"] < found["bare"] + 1.68e9 + 0.5e9
    assert found["shape"] == [3, 40, 64, 64]
