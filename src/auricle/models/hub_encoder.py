"""Any waveform encoder of Hugging Face's transformers library: WavLM, wav2vec 2.0, HuBERT, data2vec, UniSpeech, SEW …

Frame embeddings are the last layer's; a clip's embedding is their mean over time, as the study takes it of WavLM Base+
(Chen et al. 2022, arXiv 2110.13900). Where the convolutional stem is group-normalised, clips run in groups of equal
length; where it is layer-normalised, in padded batches with an attention mask. Whether each clip is standardised first
is what preprocessor_config.json says. Needs the extra ``wavlm``; weights are never unpickled with code.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from auricle.errors import AuricleError
from auricle.models.configuration import EncoderConfig
from auricle.models.encoder import ModelCard
from auricle.models.equal_lengths import EqualLengthEncoder

CONFIG_FILE, PREPROCESSOR_FILE = "config.json", "preprocessor_config.json"
WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
NOT_THE_MODEL = ("transformers_version", "_name_or_path", "architectures", "torch_dtype", "dtype", "use_cache")
STANDARDISING_FLOOR = 1e-7  # added to the variance, as transformers' feature extractor does
PROBE_FRAMES = 9  # of the silence by which a new model's frame rate is checked
UNTRAINED = ("masked_spec_embed",)  # stands for masked frames in pre-training only


@dataclass(frozen=True, kw_only=True)
class HubConfig(EncoderConfig):
    """What decides the encoder besides its weights.

    Attributes
    ----------
    transformers
        config.json as its publisher wrote it.
    sampling_rate
        Hz.
    standardise
        Whether each clip is brought to mean 0 and variance 1 first (``do_normalize``).
    """

    transformers: dict[str, Any] = field(default_factory=lambda: {"model_type": "wavlm"})
    sampling_rate: int = 16_000
    standardise: bool = False


class HubEncoder(EqualLengthEncoder):
    """A transformers model that hears waveforms through strided convolutions."""

    architecture: ClassVar[str] = "transformers"
    config_class: ClassVar[type[EncoderConfig]] = HubConfig
    config: HubConfig

    def __init__(self, config: HubConfig | None = None) -> None:
        super().__init__(config)
        self.model: Any = _network(self.config.transformers)
        self.name = str(self.config.transformers["model_type"])
        stem = self.model.config
        self._kernels: list[int] = list(stem.conv_kernel)
        self._strides: list[int] = list(stem.conv_stride)
        self._dims = [int(stem.hidden_size)] * (1 + int(stem.num_hidden_layers))
        self._masks = getattr(stem, "feat_extract_norm", "group") == "layer"
        self._check()

    @property
    def sample_rate(self) -> int:
        """Hz; what waveforms must come at."""
        return self.config.sampling_rate

    @property
    def samples_per_frame(self) -> int:
        """The product of the stem's strides."""
        return prod(self._strides)

    @property
    def frame_samples(self) -> int:
        """What the stem sees for one frame."""
        return 1 + sum((kernel - 1) * prod(self._strides[:at]) for at, kernel in enumerate(self._kernels))

    @property
    def frame_dim(self) -> int:
        """Width of the transformer."""
        return self._dims[-1]

    @property
    def layer_dims(self) -> Mapping[str, int]:
        """``layer0``, what the transformer takes, then ``layer1`` … ; the last is the frame embedding."""
        return {f"layer{number}": dim for number, dim in enumerate(self._dims)}

    @property
    def front_end(self) -> str:
        """Whether clips are standardised."""
        return "each clip standardised to mean 0 and variance 1" if self.config.standardise else super().front_end

    def encode(self, waveform: Tensor) -> Tensor:
        """Clips of one length ``(batch, samples)`` → the last layer ``(batch, time, frame_dim)``."""
        return self._run(waveform, None, ())

    def encode_layers(self, waveform: Tensor, names: Sequence[str]) -> Tensor:
        """As :meth:`encode`, of the layers called `names`, side by side."""
        return self._run(waveform, None, names)

    def _encode(self, waveform: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        return self._encode_layers(waveform, lengths, ())

    def _encode_layers(
        self, waveform: Tensor, lengths: Tensor | None, names: Sequence[str]
    ) -> tuple[Tensor, Tensor | None]:
        if lengths is None or not self._masks:
            return self._by_length(lambda clips: self._run(clips, None, names), waveform, lengths)
        frames, true = self._run(waveform, lengths, names), self._frames_of(lengths)
        beyond = torch.arange(frames.shape[1], device=frames.device) >= true[:, None]
        return frames.masked_fill(beyond[:, :, None], 0.0), true

    def _run(self, waveform: Tensor, lengths: Tensor | None, names: Sequence[str]) -> Tensor:
        """The layers called `names`, side by side, or the last one where there are none."""
        mask = None
        if lengths is not None:
            mask = torch.arange(waveform.shape[1], device=waveform.device) < lengths[:, None]
            waveform = waveform * mask
        if self.config.standardise:
            waveform = _standardised(waveform, mask)
        attention = None if mask is None else mask.long()
        out = self.model(waveform, attention_mask=attention, output_hidden_states=bool(names))
        if not names:
            last: Tensor = out.last_hidden_state
            return last
        numbers = [self.layer_names.index(name) for name in names]
        return torch.cat([out.hidden_states[number] for number in numbers], dim=2)

    @torch.no_grad()
    def _check(self) -> None:
        """Make sure that frames lie where the stem's convolutions say, and are as wide as the transformer."""
        samples = self.frame_samples + (PROBE_FRAMES - 1) * self.samples_per_frame
        was_training = self.training
        self.eval()
        shape = tuple(self._run(torch.zeros(1, samples), None, ()).shape)
        self.train(was_training)
        if shape != (1, PROBE_FRAMES, self.frame_dim):
            raise AuricleError(
                f"{self.name}: expected {PROBE_FRAMES} frames of {self.frame_dim} dimensions from {samples} samples, "
                f"got {shape[1:]}: this kind of model is not supported"
            )


def is_transformers_folder(folder: Path) -> bool:
    """Whether a folder's config.json is one of the transformers library."""
    try:
        values = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(values, dict) and "model_type" in values and "architecture" not in values


def load_transformers_folder(folder: Path, *, name: str, licence: str = "as its publisher states") -> HubEncoder:
    """The encoder in a folder that ``save_pretrained`` of transformers wrote, in evaluation mode.

    Parameters
    ----------
    folder
        With config.json, preprocessor_config.json and model.safetensors (or pytorch_model.bin).
    name
        What it shall be called.
    licence
        Of the weights.

    Raises
    ------
    AuricleError
        When a file is missing or damaged, when weights are missing, or when it is no waveform encoder.
    """
    values = _read(folder / CONFIG_FILE)
    extractor = _read(folder / PREPROCESSOR_FILE)
    if not any((folder / file).is_file() for file in WEIGHT_FILES):
        raise AuricleError(f"{folder} is not a saved model: {WEIGHT_FILES[0]} is missing")
    config = HubConfig(
        transformers={key: value for key, value in values.items() if key not in NOT_THE_MODEL},
        sampling_rate=int(extractor.get("sampling_rate", 16_000)),
        standardise=bool(extractor.get("do_normalize", True)),  # transformers' own default
    )
    encoder = HubEncoder(config)
    _fill(encoder.model, folder)
    encoder.name = name
    encoder.card = ModelCard(licence=licence, source=f"{name}, a model of transformers", data="as its publisher states")
    return encoder.eval()


def _network(values: Mapping[str, Any]) -> Any:
    """The network that a config.json describes, with random weights and without anything random in training."""
    try:
        from transformers import AutoConfig, AutoModel
    except ImportError as error:
        raise AuricleError('models of transformers need the `wavlm` extra: pip install "auricle[wavlm]"') from error
    kind = values.get("model_type")
    try:
        # Draws of its own would depend on rank and order: time masking, dropped layers.
        config = AutoConfig.for_model(**{**values, "apply_spec_augment": False, "layerdrop": 0.0})
        stem = hasattr(config, "conv_kernel") and hasattr(config, "conv_stride") and hasattr(config, "hidden_size")
        network = AutoModel.from_config(config).float() if stem else None
    except Exception as error:  # its validators raise their own
        raise AuricleError(f"{kind} is no model that transformers can build: {' '.join(str(error).split())}") from error
    if network is None or getattr(network, "main_input_name", "") != "input_values":
        raise AuricleError(
            f"{kind} does not hear waveforms through convolutions: "
            "expected a model like wavlm, wav2vec2, hubert, data2vec-audio, unispeech or sew"
        )
    for name, parameter in network.named_parameters():
        if name in UNTRAINED:
            parameter.requires_grad_(False)
    return network


def _fill(network: Any, folder: Path) -> None:
    """Put a folder's weights into a network; none may be missing."""
    from transformers.utils import logging

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        loaded, report = type(network).from_pretrained(
            folder, config=network.config, local_files_only=True, output_loading_info=True
        )
    except Exception as error:  # whatever its readers stumble over
        raise AuricleError(f"the weights in {folder} cannot be read: {' '.join(str(error).split())}") from error
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
    missing = sorted(set(report["missing_keys"]) - set(UNTRAINED))
    if missing:
        raise AuricleError(f"{folder} lacks weights of its model: {missing[0]} and {len(missing) - 1} more")
    network.load_state_dict(loaded.float().state_dict())


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise AuricleError(f"{path.parent} is not a saved model: {path.name} is missing")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise AuricleError(f"{path} is damaged: {error}") from error
    if not isinstance(values, dict):
        raise AuricleError(f"{path} is damaged: expected an object")
    return values


def _standardised(waveform: Tensor, mask: Tensor | None) -> Tensor:
    """Each clip with mean 0 and variance 1 over its true samples; 0 beyond them."""
    count = waveform.shape[1] if mask is None else mask.sum(dim=1, keepdim=True)
    centred = waveform - waveform.sum(dim=1, keepdim=True) / count
    centred = centred if mask is None else centred * mask
    return centred / (centred.square().sum(dim=1, keepdim=True) / count + STANDARDISING_FLOOR).sqrt()
