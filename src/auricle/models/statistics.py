"""Normalisation statistics: the one mean and standard deviation by which an encoder's log-mel is standardised.

BYOL-A (2021, section III-B-1; 2022, section IV-A) takes them over all bins of up to 10,000 random training crops. They
belong to the front end and the data, so that they are computed by the tool and stored with the model, never guessed.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auricle import audio, randomness
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.mel import LogMel

MAX_CROPS = 10_000
CROP_SECONDS = 0.95
CROPS_AT_ONCE = 256


def normalisation_statistics(log_mels: Iterable[Tensor]) -> tuple[float, float]:
    """Mean and population standard deviation over all bins of some log-mel batches, of any shapes.

    Raises
    ------
    AuricleError
        When there are none, or they are not finite, or all the same (digital silence).
    """
    count, total, squares = 0, 0.0, 0.0
    for log_mel in log_mels:
        values = log_mel.double()
        count += values.numel()
        total += float(values.sum())
        squares += float(values.square().sum())
    if count == 0:
        raise AuricleError("no audio to compute log-mel statistics of")
    mean = total / count
    variance = squares / count - mean**2
    if not np.isfinite(variance) or variance <= 1e-9:
        raise AuricleError(
            f"log-mel statistics make no sense (mean {mean:.4g}, variance {variance:.4g}): is the audio silent?"
        )
    return mean, float(np.sqrt(variance))


def statistics_of_recordings(
    source: Path | Manifest, log_mel: LogMel, *, crops: int = MAX_CROPS, seed: int = 0
) -> tuple[float, float]:
    """Mean and standard deviation of the log-mel of random crops of 0.95 s of a folder's or manifest's clips.

    Each clip gives a crop in turn, at a random place, until there are `crops` of them or as many as the clips are long.
    Crops of shorter clips are zero-padded, as in pre-training; unreadable files are passed over.

    Raises
    ------
    AuricleError
        When no clip can be read.
    """
    if isinstance(source, Path):
        source = Manifest.from_folder(source) if source.is_dir() else Manifest.read(source)
    waveforms = _random_crops(source, sample_rate=log_mel.recipe.sample_rate, crops=crops, seed=seed)
    return normalisation_statistics(log_mel(batch)[0] for batch in _batches(waveforms))


def _random_crops(manifest: Manifest, *, sample_rate: int, crops: int, seed: int) -> Iterator[NDArray[np.float32]]:
    spans = _spans(manifest)
    if not spans:
        raise AuricleError(f"none of the {len(manifest)} clips below {manifest.root} can be read")
    available = sum(max(1, int((end - start) / CROP_SECONDS)) for _, start, end in spans)
    order = randomness.permutation(seed, "statistics/order", 0, len(spans))
    keys = randomness.keys(seed, "statistics/offset", torch.arange(min(crops, available)))
    places = randomness.uniform(keys, 1)[:, 0].tolist()
    samples = round(CROP_SECONDS * sample_rate)
    for index, place in enumerate(places):
        path, start, end = spans[int(order[index % len(spans)])]
        offset = start + place * max(0.0, end - start - CROP_SECONDS)
        try:
            crop = audio.read(path, sample_rate=sample_rate, offset=offset, duration=min(CROP_SECONDS, end - offset))
        except audio.AudioError:
            continue
        yield np.pad(crop[:samples], (0, max(0, samples - len(crop))))


def _spans(manifest: Manifest) -> list[tuple[Path, float, float]]:
    """(file, start, end) in seconds of every clip whose file opens."""
    starts = manifest.column("start") if manifest.has("start") else [None] * len(manifest)
    ends = manifest.column("end") if manifest.has("end") else [None] * len(manifest)
    spans = []
    for path, start, end in zip(manifest.files, starts, ends, strict=True):
        try:
            seconds = audio.info(path).seconds if end is None else end
        except audio.AudioError:
            continue
        spans.append((path, start or 0.0, seconds))
    return spans


def _batches(waveforms: Iterator[NDArray[np.float32]]) -> Iterator[Tensor]:
    batch: list[NDArray[np.float32]] = []
    for waveform in waveforms:
        batch.append(waveform)
        if len(batch) == CROPS_AT_ONCE:
            yield torch.from_numpy(np.stack(batch))
            batch = []
    if batch:
        yield torch.from_numpy(np.stack(batch))
