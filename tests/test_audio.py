import pickle
import struct
import subprocess
import sys

import librosa
import numpy as np
import pytest
import scipy.signal
import soundfile

from auricle import audio
from auricle.audio import AudioError, AudioInfo
from auricle.errors import AuricleError

RATE = 16000


def noise(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.4, 0.4, (round(seconds * rate), channels)).astype(np.float32)


def frequency(waveform: np.ndarray, rate: int) -> float:
    """The strongest frequency, Hz."""
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return float(np.argmax(spectrum)) * rate / len(waveform)


# --- what is decoded


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".au", ".WAV"])
def test_a_tone_comes_back_from_every_format(suffix, tone, sound_file):
    given = tone(1000, seconds=2, rate=48000)
    path = sound_file(f"tone{suffix}", given, 48000, **({"format": "WAV"} if suffix == ".WAV" else {}))
    heard = audio.read(path, sample_rate=RATE)
    assert heard.dtype == np.float32
    assert heard.shape == (2 * RATE,)
    assert frequency(heard[4000:-4000], RATE) == pytest.approx(1000, abs=1)
    assert np.sqrt(np.mean(heard[4000:-4000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000])
def test_a_1_khz_tone_stays_1_khz_at_any_rate(rate, tone, sound_file):
    heard = audio.read(sound_file("tone.wav", tone(1000, rate=rate), rate), sample_rate=RATE)
    assert abs(len(heard) - RATE) <= 1
    middle = slice(800, -800)
    expected = tone(1000)
    assert np.abs(heard[middle] - expected[: len(heard)][middle]).max() < 1e-3


def test_what_lies_above_the_new_nyquist_frequency_is_gone(tone, sound_file):
    heard = audio.read(sound_file("high.wav", tone(12000, rate=48000), 48000), sample_rate=RATE)
    assert np.abs(heard[800:-800]).max() < 1e-4


def test_resampling_agrees_with_scipy_in_the_pass_band(sound_file):
    low_pass = scipy.signal.butter(12, 4000, fs=48000, output="sos")
    band_limited = scipy.signal.sosfilt(low_pass, noise(1, 48000)[:, 0])
    band_limited = band_limited.astype(np.float32)
    ours = audio.resample(band_limited, from_rate=48000, to_rate=RATE)
    theirs = scipy.signal.resample(band_limited, RATE)
    assert np.abs(ours - theirs)[500:-500].max() < 1e-3


def test_channels_are_averaged(tone, sound_file):
    left, right = tone(500), tone(700)
    path = sound_file("stereo.wav", np.stack([left, right], axis=1))
    np.testing.assert_allclose(audio.read(path, sample_rate=RATE), (left + right) / 2, atol=1e-7)
    np.testing.assert_allclose(audio.read(path, sample_rate=RATE), librosa.load(path, sr=None)[0], atol=1e-7)


def test_opposite_phases_are_silence(tone, sound_file):
    path = sound_file("opposite.wav", np.stack([tone(500), -tone(500)], axis=1))
    assert not audio.read(path, sample_rate=RATE).any()


def test_six_channels_are_averaged(sound_file):
    path = sound_file("six.wav", np.tile(np.arange(6, dtype=np.float32) / 10, (100, 1)))
    np.testing.assert_allclose(audio.read(path, sample_rate=RATE), 0.25, atol=1e-6)


def test_float_samples_beyond_one_are_kept(tone, sound_file):
    assert audio.read(sound_file("loud.wav", tone(100, level=3.0)), sample_rate=RATE).max() == pytest.approx(
        3, rel=1e-3
    )


def test_info_is_what_was_written(sound_file):
    found = audio.info(sound_file("x.flac", noise(1.5, 44100, 2), 44100))
    assert (found.sample_rate, found.channels, found.frames, found.seconds) == (44100, 2, 66150, 1.5)


# --- excerpts and streams


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".opus", ".mp3"])
@pytest.mark.parametrize(
    ("rate", "to"), [(44100, 16000), (48000, 16000), (8000, 16000), (16000, 16000), (48000, 22050)]
)
def test_an_excerpt_equals_the_slice_of_the_whole(suffix, rate, to, sound_file):
    if suffix == ".opus" and rate == 44100:
        pytest.skip("Opus has no 44.1 kHz")
    path = sound_file(f"noise{suffix}", noise(4, rate), rate)
    whole = audio.read(path, sample_rate=to)
    for offset, duration in [
        (0, 0.95),
        (0.5, 1.0),
        (1.23456, 0.333),
        (2.0001, 0.5),
        (3.5, 0.5),
        (3.2, 9.0),
        (0.01, None),
    ]:
        excerpt = audio.read(path, sample_rate=to, offset=offset, duration=duration)
        expected = whole[round(offset * to) :][
            : None if duration is None else round((offset + duration) * to) - round(offset * to)
        ]
        assert len(excerpt) == len(expected)
        assert np.abs(excerpt - expected).max() < 1e-4


def test_an_excerpt_of_an_mp3_whose_frames_borrow_from_each_other_equals_the_slice(tone, sound_file):
    path = sound_file("tone.mp3", tone(1000, seconds=5, rate=48000), 48000)
    whole = audio.read(path, sample_rate=RATE)
    assert np.abs(np.abs(whole).max() - 0.5) < 0.02
    for offset in (0.3, 1.0, 2.77, 4.0):
        excerpt = audio.read(path, sample_rate=RATE, offset=offset, duration=0.5)
        start = round(offset * RATE)
        assert np.abs(excerpt - whole[start : start + len(excerpt)]).max() < 1e-4


def test_an_excerpt_decodes_little_of_a_long_file(sound_file, monkeypatch):
    path = sound_file("long.wav", noise(60, RATE))
    decoded = []
    real_read = soundfile.SoundFile.read
    monkeypatch.setattr(
        soundfile.SoundFile, "read", lambda self, frames, **k: decoded.append(frames) or real_read(self, frames, **k)
    )
    audio.read(path, sample_rate=8000, offset=50, duration=1)
    assert sum(decoded) < 2 * RATE


@pytest.mark.parametrize("block_seconds", [0.1, 0.77, 60])
def test_blocks_laid_end_to_end_are_the_whole(block_seconds, sound_file):
    path = sound_file("noise.wav", noise(5, 44100), 44100)
    blocks = list(audio.stream(path, sample_rate=RATE, block_seconds=block_seconds))
    assert all(len(block) == round(block_seconds * RATE) for block in blocks[:-1])
    np.testing.assert_array_equal(np.concatenate(blocks), audio.read(path, sample_rate=RATE))


def test_a_stream_equals_resampling_at_once(sound_file):
    given = noise(5, 44100)
    path = sound_file("noise.wav", given, 44100)
    expected = audio.resample(given[:, 0], from_rate=44100, to_rate=RATE)
    np.testing.assert_array_equal(audio.read(path, sample_rate=RATE), expected)


def test_a_long_file_is_streamed_in_little_memory(tmp_path):
    with soundfile.SoundFile(tmp_path / "long.wav", "w", 48000, 2) as file:
        for _ in range(10):
            file.write(np.zeros((60 * 48000, 2), dtype=np.int16))
    program = """
import resource, sys
from auricle import audio
next(audio.stream(sys.argv[1], sample_rate=16000, block_seconds=1.0))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert sum(map(len, audio.stream(sys.argv[1], sample_rate=16000, block_seconds=10.0))) == 600 * 16000
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "long.wav")], capture_output=True, text=True, check=True
    )
    assert int(ran.stdout) < 20_000  # kB; the file is 115 MB, the waveform 38 MB


# --- what cannot be used


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.wav", b"", "is empty"),
        ("text.wav", b"this is not a sound at all " * 9, "cannot be decoded"),
        ("text.mp3", b"nor is this " * 99, "cannot be decoded"),
        ("text.m4a", b"nor this " * 99, "cannot be decoded"),
        ("header.flac", b"fLaC\x00\x00\x00\x22", "cannot be decoded"),
        ("header.wav", b"RIFF\xff\xff\xff\xffWAVEfmt ", "cannot be decoded"),
        ("header.ogg", b"OggS\x00\x02" + bytes(20), "cannot be decoded"),
    ],
)
def test_what_is_not_audio_is_one_sentence(name, content, reason, tmp_path):
    (tmp_path / name).write_bytes(content)
    for look in (audio.info, lambda path: audio.read(path, sample_rate=RATE)):
        with pytest.raises(AudioError, match=reason) as caught:
            look(tmp_path / name)
        assert caught.value.path == tmp_path / name
        assert str(caught.value) == f"{tmp_path / name} {caught.value.reason}"
        assert "\n" not in str(caught.value)
        assert "not exist" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_said(tmp_path):
    with pytest.raises(AudioError, match="does not exist"):
        audio.read(tmp_path / "no.wav", sample_rate=RATE)
    with pytest.raises(AudioError, match="is a folder"):
        audio.read(tmp_path, sample_rate=RATE)


def test_a_file_without_samples_is_said(sound_file):
    with pytest.raises(AudioError, match="holds no samples"):
        audio.read(sound_file("none.wav", np.zeros(0, dtype=np.float32)), sample_rate=RATE)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_that_are_not_numbers_are_refused(bad, channels, sound_file):
    samples = np.zeros((RATE, channels), dtype=np.float32)
    samples[4000, 0] = bad
    with pytest.raises(AudioError, match=r"NaN or infinite, the first at 0\.250 s"):
        audio.read(sound_file("bad.wav", samples), sample_rate=RATE)


def test_an_offset_behind_the_end_is_said(sound_file):
    path = sound_file("short.wav", noise(1, RATE))
    with pytest.raises(AudioError, match="ends before 2 s"):
        audio.read(path, sample_rate=8000, offset=2)
    with pytest.raises(AuricleError, match="offset must be 0 s or more"):
        audio.read(path, sample_rate=8000, offset=-1)
    with pytest.raises(AuricleError, match="sample_rate must be"):
        audio.read(path, sample_rate=0)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff"])
def test_a_recording_cut_off_by_an_empty_battery_gives_what_is_there(suffix, sound_file):
    whole = sound_file(f"whole{suffix}", noise(4, RATE))
    cut = whole.with_name(f"cut{suffix}")
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    heard = audio.read(cut, sample_rate=RATE)
    assert 0.5 * RATE < len(heard) < 2.8 * RATE
    start = slice(0, RATE // 2)
    assert np.abs(heard[start] - audio.read(whole, sample_rate=RATE)[start]).max() < 1e-3


def flac_that_states(path, frames):
    content = bytearray(path.read_bytes())
    content[21] = content[21] & 0xF0 | frames >> 32  # the 36 bits of STREAMINFO (RFC 9639, section 8.2)
    content[22:26] = struct.pack(">I", frames & 0xFFFFFFFF)
    path.write_bytes(content)


def test_a_header_that_promises_a_year_is_refused_before_anyone_plans_with_it(sound_file):
    path = sound_file("year.flac", noise(1, RATE))
    flac_that_states(path, 2**36 - 1)
    for look in (audio.info, lambda path: audio.read(path, sample_rate=RATE)):
        with pytest.raises(AudioError, match=r"promises 1,193 h of sound in [\d.]+ kB: its header is damaged"):
            look(path)


def test_a_stream_whose_header_says_no_length_is_counted(sound_file):
    path = sound_file("from a pipe.flac", noise(1.5, RATE))
    flac_that_states(path, 0)
    assert audio.info(path) == AudioInfo(RATE, 1, round(1.5 * RATE))
    assert len(audio.read(path, sample_rate=RATE, offset=0.5, duration=2)) == RATE


def test_what_a_browser_recorded_has_no_length_and_is_counted(tmp_path):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "x.webm"), "w", format="webm", options={"live": "1"}) as container:
        stream = container.add_stream("libopus", rate=48000, layout="mono")
        for number in range(50):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.float32), format="flt", layout="mono")
            frame.sample_rate, frame.pts = 48000, 960 * number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with av.open(str(tmp_path / "x.webm")) as container:
        assert container.duration is None
    assert audio.info(tmp_path / "x.webm").seconds == pytest.approx(1, abs=0.05)


def test_a_rate_that_nobody_records_at_is_refused(sound_file):
    path = sound_file("slow.wav", noise(1, 8000), 8000)
    content = bytearray(path.read_bytes())
    content[24:28] = struct.pack("<I", 1)
    path.write_bytes(content)
    with pytest.raises(AudioError, match="a sample rate of 1 Hz"):
        audio.read(path, sample_rate=RATE)


def test_an_error_survives_the_way_back_from_a_worker_process(tmp_path):
    error = pickle.loads(pickle.dumps(AudioError(tmp_path / "x.wav", "is empty")))
    assert (error.path, error.reason, str(error)) == (tmp_path / "x.wav", "is empty", f"{tmp_path / 'x.wav'} is empty")


# --- FFmpeg


def write_with_ffmpeg(path, waveform, rate, codec, format, **metadata):
    av = pytest.importorskip("av")
    with av.open(str(path), "w", format=format) as container:
        container.metadata.update(metadata)
        stream = container.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(waveform[None].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "format"), [("x.m4a", "aac", "ipod"), ("x.aac", "aac", "adts"), ("x.MP4", "aac", "mp4")]
)
def test_a_tone_comes_back_from_ffmpegs_formats(name, codec, format, tone, tmp_path):
    path = write_with_ffmpeg(tmp_path / name, tone(1000, seconds=3, rate=44100), 44100, codec, format)
    found = audio.info(path)
    assert (found.sample_rate, found.channels) == (44100, 1)
    assert found.seconds == pytest.approx(3, abs=0.1)
    whole = audio.read(path, sample_rate=RATE)
    assert len(whole) == pytest.approx(3 * RATE, abs=0.1 * RATE)
    assert frequency(whole[RATE : 2 * RATE], RATE) == pytest.approx(1000, abs=1)
    excerpt = audio.read(path, sample_rate=RATE, offset=1.1, duration=0.7)
    assert np.abs(excerpt - whole[round(1.1 * RATE) : round(1.8 * RATE)]).max() < 1e-4


def test_a_title_in_an_old_encoding_does_not_hide_the_sound(tone, tmp_path):
    path = write_with_ffmpeg(tmp_path / "x.m4a", tone(1000), RATE, "aac", "ipod", title="été")
    path.write_bytes(path.read_bytes().replace("été".encode(), "éxt".encode("latin-1") + b"  "))
    assert len(audio.read(path, sample_rate=RATE)) > 0.9 * RATE


def test_without_the_extra_the_sentence_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)  # import av now fails
    (tmp_path / "x.m4a").write_bytes(b"something")
    with pytest.raises(AudioError) as caught:
        audio.read(tmp_path / "x.m4a", sample_rate=RATE)
    assert str(caught.value) == f'{tmp_path / "x.m4a"} needs the `av` extra: pip install "auricle[av]"'


# --- writing and finding


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".aiff"])
def test_what_is_written_is_read_back(suffix, tmp_path):
    given = noise(0.5, RATE)[:, 0]
    audio.write(tmp_path / f"x{suffix}", given, sample_rate=RATE)
    assert np.abs(audio.read(tmp_path / f"x{suffix}", sample_rate=RATE) - given).max() <= 2**-15


def test_the_same_waveform_is_written_as_the_same_bytes(tmp_path):
    for name in ("a.wav", "b.wav"):
        audio.write(tmp_path / name, noise(0.5, RATE)[:, 0], sample_rate=RATE)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


@pytest.mark.parametrize(
    ("name", "waveform", "reason"),
    [
        ("x.wav", np.full(9, 1.5), "samples go up to 1.5"),
        ("x.wav", np.full(9, np.nan), "samples go up to nan"),
        ("x.wav", np.zeros((9, 2)), "has one axis"),
        ("x.m4a", np.zeros(9), "choose .wav"),
        ("x.txt", np.zeros(9), "choose .wav"),
    ],
)
def test_what_cannot_be_written_is_said(name, waveform, reason, tmp_path):
    with pytest.raises(AudioError, match=reason):
        audio.write(tmp_path / name, waveform, sample_rate=RATE)
    assert list(tmp_path.iterdir()) == []


def test_find_goes_into_folders_sorts_and_leaves_out_what_is_hidden(tmp_path):
    for name in ["b/two.WAV", "a.flac", "b/one.Opus", ".hidden/x.wav", "b/.x.wav", "b/notes.txt", "c/d/e.m4a"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [str(path.relative_to(tmp_path)) for path in audio.find(tmp_path)]
    assert found == ["a.flac", "b/one.Opus", "b/two.WAV", "c/d/e.m4a"]


def test_find_says_when_the_folder_is_missing(tmp_path):
    with pytest.raises(AuricleError, match="does not exist; is the path right"):
        audio.find(tmp_path / "no")
