"""A recipe's sound: found, measured, decoded where it fits, cut into crops, gathered in batches, its level measured."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auricle import clips as clips_module
from auricle.clips import Stretch, Stretches
from auricle.crops import Crops
from auricle.errors import AuricleError
from auricle.models.spectrogram import NormalisedEncoder
from auricle.models.statistics import normalisation_statistics
from auricle.packing.reader import open_packed, pack_among
from auricle.pretraining.batches import Batches, BucketedBatches, EqualBatches
from auricle.pretraining.events import Decoding, Remark, Report
from auricle.pretraining.recipe import Recipe
from auricle.processes import all_or_none, from_main, rank

SILENCE = 0.1  # range of all log-mel values of silence, natural logarithms; dither has 0.004
_GIB = 1 << 30


def open_crops(
    recipe: Recipe, encoder: NormalisedEncoder, folder: Path, report: Report, *, held_out: Crops | None = None
) -> Crops:
    """Find, measure and, when it fits, decode the recipe's audio without what is held out; a pack is read as it lies.

    Raises
    ------
    AuricleError
        When there is none that can be used, or none that is not held out.
    """
    cutting = _cutting(recipe, encoder)
    with all_or_none():
        pack = pack_among(recipe.data)
        if pack is not None:
            packed = open_packed(pack, **cutting)
        else:
            stretches, lengths, rejected = clips_module.measure(
                clips_module.find_stretches(recipe.data), sample_rate=encoder.sample_rate, workers=recipe.workers
            )
            if held_out is not None and stretches:
                stretches, lengths = _without(stretches, lengths, held_out.clips.stretches, report)
    if pack is not None:
        return _crops(recipe, packed.clips, packed, members=packed.members(recipe.seed))
    # What the main process decodes is for all, also for one that finds other files and will have to say so.
    decoded = from_main(bool(stretches) and clips_module.decoded_size(lengths) <= recipe.cache_gib * _GIB)
    cache = folder / "audio"
    with all_or_none():
        if decoded and rank() == 0:
            for share in clips_module.decode(
                stretches, lengths, sample_rate=encoder.sample_rate, folder=cache, workers=recipe.workers
            ):
                report(Decoding(share))
    with all_or_none():
        reader: clips_module.ClipReader
        if decoded:
            reader = clips_module.open_decoded(cache, rejected, **cutting)
            clips = reader.clips
        else:
            reader = clips = clips_module.cut(stretches, lengths, rejected, **cutting)
        if rank() == 0:
            clips_module.write_rejected(clips.rejected, folder / "rejected.csv")
    return _crops(recipe, clips, reader)


def _without(
    found: list[Stretch], lengths: list[int], held_out: Stretches, report: Report
) -> tuple[list[Stretch], list[int]]:
    """Those that share no sound with any held-out stretch, with their lengths."""
    spans: dict[Path, list[tuple[float, float]]] = {}
    for stretch in held_out:
        spans.setdefault(stretch.path.resolve(), []).append((stretch.start, _end_of(stretch)))
    kept = [
        (stretch, length)
        for stretch, length in zip(found, lengths, strict=True)
        if all(
            stretch.start >= end or _end_of(stretch) <= start for start, end in spans.get(stretch.path.resolve(), ())
        )
    ]
    if not kept:
        raise AuricleError("nothing to train on: all of `data` is held out by `validation`")
    if left_out := len(found) - len(kept):
        report(Remark(f"held out: {left_out:,} of {len(found):,} recordings of `data` are in `validation`, too"))
    return [stretch for stretch, _ in kept], [length for _, length in kept]


def _end_of(stretch: Stretch) -> float:
    return math.inf if stretch.end is None else stretch.end


def open_validation(recipe: Recipe, encoder: NormalisedEncoder) -> Crops:
    """The recipe's validation data, decoded as it is read."""
    stretches, lengths, rejected = clips_module.measure(
        clips_module.find_stretches(recipe.validation), sample_rate=encoder.sample_rate, workers=recipe.workers
    )
    clips = clips_module.cut(stretches, lengths, rejected, **_cutting(recipe, encoder))
    return _crops(recipe, clips, clips)


def batches_of(recipe: Recipe, crops: Crops) -> Batches:
    """How forward passes take their crops."""
    size = recipe.batch_size // recipe.accumulate
    return BucketedBatches(crops, size) if recipe.bucket else EqualBatches(crops, size)


def statistics(recipe: Recipe, encoder: NormalisedEncoder, crops: Crops, *, padding: bool) -> tuple[float, float]:
    """Mean and standard deviation of the log-mel of the crops that training sees, with their padding or without.

    The main process measures, so that all normalise alike to the last bit.
    """
    found = (0.0, 1.0)
    with all_or_none():
        if rank() == 0:
            found = _measured(recipe, encoder, crops, padding=padding)
    return from_main(found)


def _measured(recipe: Recipe, encoder: NormalisedEncoder, crops: Crops, *, padding: bool) -> tuple[float, float]:
    count = min(recipe.statistics_crops, len(crops))

    def log_mels() -> Iterator[Tensor]:
        lowest, highest = math.inf, -math.inf
        for index in torch.split(torch.arange(count), recipe.batch_size):
            width = None if padding else max(int(crops.samples(index).max()), encoder.min_samples)
            waveform, clips = crops.read(index, width=width)
            lengths = None if padding else crops.lengths(clips).clamp_min(encoder.min_samples).to(encoder.mean.device)
            log_mel, frames = encoder.log_mel(waveform.to(encoder.mean.device), lengths)
            true = torch.arange(log_mel.shape[2], device=frames.device) < frames[:, None]
            values = log_mel if padding else log_mel.transpose(1, 2)[true]
            lowest, highest = min(lowest, float(values.min())), max(highest, float(values.max()))
            yield values
        if highest - lowest < SILENCE:
            raise AuricleError(
                f"the sound is silent in every random crop that was measured (crops of {recipe.crop_seconds:g} s: "
                f"{count:,}): give more sound, or some without long silences"
            )

    with torch.no_grad():
        return normalisation_statistics(log_mels())


def _cutting(recipe: Recipe, encoder: NormalisedEncoder) -> dict[str, Any]:
    return {
        "sample_rate": encoder.sample_rate,
        "clip_seconds": recipe.clip_seconds,
        "crop_seconds": recipe.crop_seconds,
    }


def _crops(
    recipe: Recipe,
    clips: clips_module.Clips,
    reader: clips_module.ClipReader,
    *,
    members: NDArray[np.int64] | None = None,
) -> Crops:
    return Crops(
        clips,
        reader,
        crop_samples=round(recipe.crop_seconds * clips.sample_rate),
        sampling=recipe.sampling,
        padding=recipe.padding,
        seed=recipe.seed,
        members=members,
    )
