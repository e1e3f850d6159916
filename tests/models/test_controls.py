import librosa
import numpy as np
import pytest
import scipy.fft
import torch

import auricle
from auricle.errors import AuricleError
from auricle.mel import LogMel
from auricle.models.controls import LogMelStats, MFCCStats, MFCCStatsConfig

from .signals import chirps


def test_logmel_stats_are_mean_deviation_and_maximum_of_the_log_mel() -> None:
    waveform = chirps(2, 20_000)
    log_mel = LogMel()(waveform)[0].double().numpy()
    expected = np.concatenate([log_mel.mean(axis=2), log_mel.std(axis=2), log_mel.max(axis=2)], axis=1)
    np.testing.assert_allclose(LogMelStats()(waveform).numpy(), expected, rtol=1e-4, atol=1e-4)


def test_mfcc_is_scipys_orthonormal_dct_and_librosas() -> None:
    waveform = chirps(1, 20_000)
    log_mel = LogMel().double()(waveform.double())[0][0].numpy()
    frames, _ = MFCCStats().double().frames(waveform.double())
    expected = scipy.fft.dct(log_mel, axis=0, norm="ortho")[:20].T
    np.testing.assert_allclose(frames[0].numpy(), expected, atol=1e-4)
    np.testing.assert_allclose(frames[0].numpy(), librosa.feature.mfcc(S=log_mel, n_mfcc=20).T, atol=1e-4)


def test_mfcc_stats_are_mean_deviation_and_maximum_of_the_frames() -> None:
    waveform = chirps(2, 20_000)
    frames = MFCCStats().frames(waveform)[0].double().numpy()
    expected = np.concatenate([frames.mean(axis=1), frames.std(axis=1), frames.max(axis=1)], axis=1)
    np.testing.assert_allclose(MFCCStats()(waveform).numpy(), expected, rtol=1e-3, atol=1e-3)


def test_dimensions() -> None:
    assert auricle.load("logmel-stats").embedding_dim == 192
    assert auricle.load("mfcc-stats").embedding_dim == 60
    assert MFCCStats(MFCCStatsConfig(coefficients=13)).embedding_dim == 39


def test_silence_does_not_deviate() -> None:
    assert LogMelStats()(torch.zeros(1, 16_000))[0, 64:128].abs().max() < 1e-6


def test_more_coefficients_than_bands_are_refused() -> None:
    with pytest.raises(AuricleError, match=r"1 … 64, got 65"):
        MFCCStatsConfig(coefficients=65)
