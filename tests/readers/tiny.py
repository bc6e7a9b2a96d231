"""Models of a few thousand random weights, saved as the hub lays them out.

The classes, the files and the loading are the real ones; only the sizes are not.
"""

import json
from pathlib import Path

import numpy as np
import safetensors.torch
import tokenizers
import torch
import transformers

from glimpse3d.types import Image

WORDS = (
    "a", "an", "the", "photo", "of", "close", "up", "there", "is", "red", "green", "blue", "vase",
    "chair", "cup", "bird", "on", "white", "black", "background", "with", "handle", "wooden",
)  # fmt: skip


def picture(width: int = 50, height: int = 37, seed: int = 0) -> Image:
    """Coloured patches, opaque, of odd sizes."""
    chance = np.random.default_rng(seed)
    coarse = chance.integers(0, 256, (-(-height // 7), -(-width // 7), 3), np.uint8)
    rgba = np.full((height, width, 4), 255, np.uint8)
    rgba[..., :3] = coarse.repeat(7, axis=0).repeat(7, axis=1)[:height, :width]
    return Image(rgba)


def _save(
    network: torch.nn.Module, folder: Path, preprocessor: dict[str, object], spread: float = 0.2
) -> Path:
    """With weights drawn large enough that every part of the network counts."""
    chance = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, each in network.named_parameters():
            drawn = torch.randn(each.shape, generator=chance)
            drawn *= 0.02 if name.endswith("bias") else spread
            each.copy_(drawn + ("norm" in name and name.endswith("weight")))
    folder.mkdir(parents=True, exist_ok=True)
    network.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor), "utf-8")
    return folder


# As in Intel/dpt-large, whose file is of an older library: the size is one number.
DPT_FILE: dict[str, object] = {
    "do_normalize": True, "do_resize": True, "ensure_multiple_of": 1, "keep_aspect_ratio": False,
    "feature_extractor_type": "DPTFeatureExtractor", "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5], "resample": 2, "size": 32,
}  # fmt: skip


def dpt(folder: Path, **changes: object) -> Path:
    config = transformers.DPTConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=24,
        image_size=32, patch_size=8, backbone_out_indices=[0, 1, 2, 3], num_channels=3,
        neck_hidden_sizes=[8, 8, 12, 12], fusion_hidden_size=12, is_hybrid=False,
        reassemble_factors=[4, 2, 1, 0.5],
    )  # fmt: skip
    network = transformers.DPTForDepthEstimation(config)
    return _as_published(_save(network, folder, {**DPT_FILE, **changes}))


def _as_published(folder: Path) -> Path:
    """Without the tensors that the library makes and never uses: Intel's files lack them."""
    path = folder / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    left_out = [name for name in tensors if "layers.0.residual_layer1." in name]
    assert len(left_out) == 4
    for name in left_out:
        del tensors[name]
    safetensors.torch.save_file(tensors, path, {"format": "pt"})
    return folder


def dpt_hybrid(folder: Path) -> Path:
    """As Intel/dpt-hybrid-midas: convolutions before the transformer."""
    config = transformers.DPTConfig(
        is_hybrid=True, hidden_size=16, num_hidden_layers=4, num_attention_heads=2,
        intermediate_size=24, image_size=64, patch_size=16, backbone_out_indices=[0, 1, 2, 3],
        backbone_featmap_shape=[1, 24, 4, 4], neck_ignore_stages=[0, 1], fusion_hidden_size=12,
        neck_hidden_sizes=[8, 16, 16, 16], reassemble_factors=[1, 1, 1, 0.5],
        readout_type="project",
        backbone_config={
            "model_type": "bit", "embedding_size": 8, "hidden_sizes": [8, 16, 24],
            "depths": [1, 1, 1], "layer_type": "bottleneck", "global_padding": "same",
            "embedding_dynamic_padding": True, "num_groups": 4,
            "out_features": ["stage1", "stage2", "stage3"],
        },
    )  # fmt: skip
    preprocessor = {**DPT_FILE, "size": {"height": 64, "width": 64}}
    network = transformers.DPTForDepthEstimation(config)
    return _as_published(_save(network, folder, preprocessor))


def dpt_of_any_shape(folder: Path) -> Path:
    """With a backbone, and a processor that keeps the picture's shape."""
    config = transformers.DPTConfig(
        backbone_config=transformers.Dinov2Config(
            hidden_size=16, num_hidden_layers=4, num_attention_heads=2, mlp_ratio=2, image_size=32,
            patch_size=8, out_indices=[1, 2, 3, 4], apply_layernorm=False,
            reshape_hidden_states=False,
        ),
        hidden_size=16, neck_hidden_sizes=[8, 8, 12, 12], fusion_hidden_size=12,
        reassemble_factors=[4, 2, 1, 0.5],
    )  # fmt: skip
    changes = {
        "keep_aspect_ratio": True, "ensure_multiple_of": 8, "resample": 3,
        "size": {"height": 40, "width": 40},
    }  # fmt: skip
    return _save(transformers.DPTForDepthEstimation(config), folder, {**DPT_FILE, **changes})


# As in vinvino02/glpn-nyu.
GLPN_FILE: dict[str, object] = {
    "do_rescale": True, "do_resize": True, "feature_extractor_type": "GLPNFeatureExtractor",
    "resample": 2, "size_divisor": 32,
}  # fmt: skip


def glpn(folder: Path, **changes: object) -> Path:
    config = transformers.GLPNConfig(
        depths=[1, 1, 1, 1], hidden_sizes=[8, 8, 12, 16], num_attention_heads=[1, 1, 2, 2],
        mlp_ratios=[2, 2, 2, 2], decoder_hidden_size=8, max_depth=10,
    )  # fmt: skip
    network = transformers.GLPNForDepthEstimation(config)
    return _save(network, folder, {**GLPN_FILE, **changes})


# As in facebook/sam-vit-base, but for the sizes.
SAM_FILE: dict[str, object] = {
    "do_convert_rgb": True, "do_normalize": True, "do_pad": True, "do_rescale": True,
    "do_resize": True, "image_mean": [0.485, 0.456, 0.406], "image_processor_type":
    "SamImageProcessor", "image_std": [0.229, 0.224, 0.225],
    "pad_size": {"height": 64, "width": 64}, "processor_class": "SamProcessor", "resample": 2,
    "rescale_factor": 0.00392156862745098, "size": {"longest_edge": 64},
}  # fmt: skip


def sam(folder: Path, **changes: object) -> Path:
    config = transformers.SamConfig(
        vision_config={
            "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_dim": 24,
            "image_size": 64, "patch_size": 8, "output_channels": 16, "window_size": 4,
            "global_attn_indexes": [1], "num_pos_feats": 8,
        },
        prompt_encoder_config={
            "hidden_size": 16, "image_size": 64, "patch_size": 8, "mask_input_channels": 8,
        },
        mask_decoder_config={
            "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_dim": 24,
            "iou_head_hidden_dim": 16,
        },
    )  # fmt: skip
    return _save(transformers.SamModel(config), folder, {**SAM_FILE, **changes}, spread=0.5)


# As in Salesforce/blip2-opt-2.7b, but for the size.
BLIP2_FILE: dict[str, object] = {
    "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_processor_type":
    "BlipImageProcessor", "image_std": [0.26862954, 0.26130258, 0.27577711], "resample": 3,
    "processor_class": "Blip2Processor", "rescale_factor": 0.00392156862745098,
    "size": {"height": 28, "width": 28},
}  # fmt: skip


def blip2(folder: Path, **changes: object) -> Path:
    words = _tokenizer(folder)
    config = transformers.Blip2Config(
        vision_config={
            "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
            "num_attention_heads": 2, "image_size": 28, "patch_size": 14,
        },
        qformer_config={
            "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
            "num_attention_heads": 2, "encoder_hidden_size": 16, "vocab_size": 30,
            "cross_attention_frequency": 1, "max_position_embeddings": 32,
        },
        text_config={
            "model_type": "opt", "hidden_size": 16, "ffn_dim": 24, "num_hidden_layers": 2,
            "num_attention_heads": 2, "vocab_size": len(words) + 2, "word_embed_proj_dim": 16,
            "max_position_embeddings": 96, "bos_token_id": words.bos_token_id,
            "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id,
        },
        num_query_tokens=4, image_token_index=words.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    network = transformers.Blip2ForConditionalGeneration(config)
    return _save(network, folder, {**BLIP2_FILE, **changes})


def _tokenizer(folder: Path) -> transformers.PreTrainedTokenizerFast:
    vocabulary = {word: index for index, word in enumerate(["<pad>", "</s>", "<unk>", *WORDS])}
    model = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<unk>"))
    model.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    model.post_processor = tokenizers.processors.TemplateProcessing(
        single="</s> $A", special_tokens=[("</s>", 1)]
    )
    words = transformers.PreTrainedTokenizerFast(
        tokenizer_object=model, bos_token="</s>", eos_token="</s>", pad_token="<pad>",
        unk_token="<unk>", additional_special_tokens=["<image>"],
    )  # fmt: skip
    words.save_pretrained(folder)
    return words
