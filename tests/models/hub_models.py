"""Small models of the transformers library with random weights, as its own ``save_pretrained`` writes them."""

from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.utils import logging

# The stem is that of the published models, a frame every 20 ms that sees 25 ms, with few channels.
SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 16,
    # 16 channels a group; the published ones have 48 or more. Of groups of 8, torch 2.13 computes bfloat16 convolutions
    # wrongly on processors with AMX (the result has nothing to do with float32's).
    "num_conv_pos_embedding_groups": 2,
}
TRANSFORMERS: dict[str, tuple[Any, Any, bool]] = {
    # WavLM Base+: group-normalised, waveform as it is.
    "wavlm": (transformers.WavLMModel, transformers.WavLMConfig(**SMALL, feat_extract_norm="group"), False),
    # wav2vec 2.0 large: layer-normalised, so that padding can be masked, waveform standardised.
    "wav2vec2": (
        transformers.Wav2Vec2Model,
        transformers.Wav2Vec2Config(**SMALL, feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True),
        True,
    ),
}


def network(name: str) -> Any:
    """The model itself, in evaluation mode."""
    kind, config, _ = TRANSFORMERS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return kind(config).eval()


def transformers_folder(name: str, folder: Path) -> Path:
    """Weights, configuration and feature extractor of a small model in `folder`."""
    logging.disable_progress_bar()
    network(name).save_pretrained(folder)
    extractor = transformers.Wav2Vec2FeatureExtractor(
        do_normalize=TRANSFORMERS[name][2], return_attention_mask=TRANSFORMERS[name][2]
    )
    extractor.save_pretrained(folder)
    return folder
