"""What an embeddings file holds: the same embeddings as one by one, in the manifest's order, with its columns."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

import auricle
from auricle import audio
from auricle.embedding import EmbedProgress, embed_manifest, read_embeddings
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.models.registry import load

from .sounds import RATE, excerpts, folder_of_sounds, noise, small_byola

TOLERANCE = 1e-4  # float32 sums in another order


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_sounds(tmp_path_factory.mktemp("sounds"), 40, longest=3.0)


def assert_close(left: np.ndarray, right: np.ndarray) -> None:
    assert left.shape == right.shape
    assert np.abs(left - right).max() <= TOLERANCE * np.abs(right).max()


@pytest.mark.parametrize("batch_seconds", [1.0, 5.0, None])
def test_a_row_is_what_embed_gives_for_the_file_in_the_order_of_the_manifest(
    sounds: Path, tmp_path: Path, batch_seconds: float | None
) -> None:
    model = small_byola()
    manifest = Manifest.from_folder(sounds)
    manifest = manifest.select(np.random.default_rng(0).permutation(len(manifest)))
    summary = embed_manifest(model, manifest, out=tmp_path / "o.parquet", workers=2, batch_seconds=batch_seconds)
    table, embeddings = read_embeddings(tmp_path / "o.parquet")
    assert table.column("path").to_pylist() == manifest.column("path")
    assert_close(embeddings, np.stack([model.embed(file) for file in manifest.files]))
    lengths = [audio.info(file).seconds for file in manifest.files]
    assert table.column("start").to_pylist() == [0.0] * 40
    assert table.column("end").to_pylist() == pytest.approx(lengths)
    assert (summary.rows, summary.clips, summary.rejected) == (40, 40, 0)
    assert summary.seconds == pytest.approx(sum(lengths))
    assert list(tmp_path.iterdir()) == [tmp_path / "o.parquet"]


def test_columns_are_carried_and_the_metadata_says_what_made_the_file(sounds: Path, tmp_path: Path) -> None:
    model = load("mfcc-stats")
    rows = [
        {"path": "0001.wav", "label": "frog", "split": "train", "pitch": 3.5, "labels": ["a", "b"]},
        {"path": "0000.wav", "label": None, "split": "test", "pitch": None, "labels": []},
    ]
    manifest = Manifest.from_rows(rows, root=sounds)
    embed_manifest(model, manifest, out=tmp_path / "o.parquet", workers=1, window=0.5, hop=0.25)
    frame = pd.read_parquet(tmp_path / "o.parquet")
    assert list(frame.columns) == ["path", "label", "split", "pitch", "labels", "start", "end", "embedding"]
    assert frame["label"][0] == "frog" and frame["pitch"][0] == 3.5 and list(frame["labels"][0]) == ["a", "b"]
    assert frame["embedding"][0].dtype == np.float32 and frame["embedding"][0].shape == (60,)
    schema = pq.read_schema(tmp_path / "o.parquet")
    assert schema.field("embedding").type == pa.list_(pa.float32(), 60)
    metadata = {key.decode(): value.decode() for key, value in schema.metadata.items()}
    assert metadata["model"] == "mfcc-stats"
    assert metadata["weights_fingerprint"] == model.weights_fingerprint
    assert metadata["manifest_fingerprint"] == manifest.fingerprint
    assert (metadata["window"], metadata["hop"], metadata["frames"]) == ("0.5", "0.25", "false")
    assert (metadata["sample_rate"], metadata["embedding_dim"]) == ("16000", "60")
    assert metadata["auricle_version"] == auricle.__version__
    table, _ = read_embeddings(tmp_path / "o.parquet")
    assert table.schema.metadata[b"model"] == b"mfcc-stats"


def test_a_row_with_start_and_end_is_that_part_of_its_file(tmp_path: Path) -> None:
    waveform = noise(4.0, seed=5)
    soundfile.write(tmp_path / "long.wav", waveform, RATE, subtype="FLOAT")
    rows = [
        {"path": "long.wav", "start": 1.0, "end": 2.5},
        {"path": "long.wav", "start": None, "end": 0.75},
        {"path": "long.wav", "start": 3.0, "end": None},
        {"path": "long.wav", "start": 3.0, "end": 9.0},
    ]
    model = small_byola()
    embed_manifest(model, Manifest.from_rows(rows, root=tmp_path), out=tmp_path / "o.parquet", workers=1)
    table, embeddings = read_embeddings(tmp_path / "o.parquet")
    parts = [waveform[16_000:40_000], waveform[:12_000], waveform[48_000:], waveform[48_000:]]
    assert_close(embeddings, np.stack([model.embed(part) for part in parts]))
    assert table.column("start").to_pylist() == [1.0, 0.0, 3.0, 3.0]
    assert table.column("end").to_pylist() == [2.5, 0.75, 4.0, 4.0]


def test_windows_are_slices_of_the_clip(tmp_path: Path) -> None:
    # 3.3 s from 0.5 s on, cut into 1-s windows every 0.6 s: 0, 0.6, 1.2, 1.8 are whole; 2.4 to 3.3 is a last one.
    waveform = noise(3.8, seed=6)
    soundfile.write(tmp_path / "a.wav", waveform, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "short.wav", waveform[:4000], RATE, subtype="FLOAT")
    rows = [{"path": "a.wav", "start": 0.5, "label": "x"}, {"path": "short.wav", "label": "y"}]
    model = small_byola()
    manifest = Manifest.from_rows(rows, root=tmp_path)
    embed_manifest(model, manifest, out=tmp_path / "o.parquet", workers=1, window=1.0, hop=0.6, batch_seconds=0.5)
    table, embeddings = read_embeddings(tmp_path / "o.parquet")
    times = list(zip(table.column("start").to_pylist(), table.column("end").to_pylist(), strict=True))
    expected = [(0.5, 1.5), (1.1, 2.1), (1.7, 2.7), (2.3, 3.3), (2.9, 3.8), (0.0, 0.25)]
    assert np.allclose(times, expected)
    assert table.column("label").to_pylist() == ["x"] * 5 + ["y"]
    slices = [waveform[round(start * RATE) : round(end * RATE)] for start, end in expected]
    assert_close(embeddings, np.stack([model.embed(part) for part in slices]))


def test_a_last_window_needs_half_a_window_and_sound_of_its_own(tmp_path: Path) -> None:
    lengths = {2.4: [0, 1], 2.5: [0, 1, 2], 3.0: [0, 1, 2], 0.1: [0], 1.0: [0]}
    for seconds in lengths:
        soundfile.write(tmp_path / f"{seconds}.wav", noise(seconds), RATE)
    manifest = Manifest.from_rows([{"path": f"{seconds}.wav"} for seconds in lengths], root=tmp_path)
    embed_manifest(load("logmel-stats"), manifest, out=tmp_path / "o.parquet", workers=1, window=1.0)
    table, _ = read_embeddings(tmp_path / "o.parquet")
    assert table.column("start").to_pylist() == list(itertools.chain.from_iterable(lengths.values()))
    # Overlapping windows reach the end of a 2-s clip: there is nothing left for a last one.
    embed_manifest(
        load("logmel-stats"),
        excerpts(tmp_path / "3.0.wav", 1, 2.0, root=tmp_path),
        out=tmp_path / "p.parquet",
        workers=1,
        window=1.0,
        hop=0.5,
    )
    table, _ = read_embeddings(tmp_path / "p.parquet")
    assert table.column("start").to_pylist() == [0.0, 0.5, 1.0]


def test_a_long_recording_gives_the_rows_of_a_short_one(tmp_path: Path) -> None:
    # 70 s comes from the decoder in blocks, and is embedded chunk by chunk.
    waveform = noise(70.0, seed=7)
    audio.write(tmp_path / "long.flac", waveform, sample_rate=RATE)
    waveform = audio.read(tmp_path / "long.flac", sample_rate=RATE)
    model = small_byola()
    manifest = Manifest.from_rows(
        [{"path": "long.flac", "start": 0.0, "end": 2.0}, {"path": "long.flac"}], root=tmp_path
    )

    def embedded(**options: object) -> tuple[pa.Table, np.ndarray]:
        out = tmp_path / f"{len(list(tmp_path.iterdir()))}.parquet"
        embed_manifest(model, manifest, out=out, workers=1, **options)
        return read_embeddings(out)

    table, embeddings = embedded()
    assert_close(embeddings, np.stack([model.embed(waveform[:32_000]), model.embed(waveform)]))
    assert table.column("end").to_pylist() == [2.0, 70.0]
    table, embeddings = embedded(window=7.0)
    assert table.column("end").to_pylist() == [2.0] + [7.0 * number for number in range(1, 11)]
    assert_close(embeddings[1:], np.stack([model.embed(part) for part in np.split(waveform, 10)]))
    table, embeddings = embedded(frames=True)
    frames = np.concatenate([frames.numpy() for frames, _ in model.stream_frames([waveform])])
    own = np.array(table.column("path").to_pylist()) == "long.flac"
    assert own.all() and len(embeddings) == 50 + len(frames)
    assert_close(embeddings[50:], frames)


def test_a_frame_is_a_row_with_its_time(tmp_path: Path) -> None:
    seconds = [0.3, 2.0, 1.5]
    for number, length in enumerate(seconds):
        soundfile.write(tmp_path / f"{number}.wav", noise(length, seed=number), RATE, subtype="FLOAT")
    model = small_byola()
    embed_manifest(model, Manifest.from_folder(tmp_path), out=tmp_path / "o.parquet", workers=1, frames=True)
    table, embeddings = read_embeddings(tmp_path / "o.parquet")
    paths = np.array(table.column("path").to_pylist())
    for number, length in enumerate(seconds):
        rows = paths == f"{number}.wav"
        frames, times = model.frames(model_input(tmp_path / f"{number}.wav"))
        inside = times.numpy() < length
        assert_close(embeddings[rows], frames.detach().numpy()[inside])
        start, end = (np.array(table.column(name))[rows] for name in ("start", "end"))
        assert start.min() >= 0 and end.max() <= length + 1e-9
        # Frames come every 40 ms, the first around 15 ms, and follow each other without a gap.
        assert np.allclose(start[1:], end[:-1]) and np.allclose(np.diff(start[1:]), 0.04)
        assert end[0] == pytest.approx(0.035)


def model_input(path: Path) -> "object":
    import torch

    return torch.from_numpy(audio.read(path, sample_rate=RATE))


def test_bfloat16_agrees_with_float32(sounds: Path, tmp_path: Path) -> None:
    model = small_byola()
    manifest = Manifest.from_folder(sounds)
    for precision in ("float32", "bfloat16"):
        embed_manifest(model, manifest, out=tmp_path / f"{precision}.parquet", workers=1, precision=precision)
    exact, rough = (read_embeddings(tmp_path / f"{name}.parquet")[1] for name in ("float32", "bfloat16"))
    assert 0 < np.abs(exact - rough).max() < 0.02 * np.abs(exact).max()


def test_progress_counts_clips_and_seconds(sounds: Path, tmp_path: Path) -> None:
    seen: list[EmbedProgress] = []
    manifest = Manifest.from_folder(sounds)
    embed_manifest(
        load("logmel-stats"), manifest, out=tmp_path / "o.parquet", workers=1, batch_seconds=2.0, progress=seen.append
    )
    seconds = [event.seconds for event in seen]
    assert seconds == sorted(seconds)
    assert len({event.done for event in seen}) > 3
    assert (seen[0].done, seen[-1].done, seen[-1].clips) == (0, 40, 40)
    assert seconds[-1] == pytest.approx(sum(audio.info(file).seconds for file in manifest.files))


def test_the_model_is_left_in_the_mode_that_it_was_in(sounds: Path, tmp_path: Path) -> None:
    model = small_byola().train()
    manifest = Manifest.from_folder(sounds).select([0, 1])
    embed_manifest(model, manifest, out=tmp_path / "o.parquet", workers=1)
    assert model.training
    assert_close(read_embeddings(tmp_path / "o.parquet")[1][1], small_byola().embed(manifest.files[1]))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"hop": 1.0}, "give window too"),
        ({"window": 0.0}, "window must be above 0 s, got 0"),
        ({"window": 1.0, "hop": -1.0}, "hop must be above 0 s, got -1"),
        ({"window": 1.0, "frames": True}, "window or frames, not both"),
        ({"precision": "float16"}, "precision is 'float16': expected float32 or bfloat16"),
        ({"workers": -1}, "workers must be at least 1, got -1"),
        ({"out": "o.csv"}, "ends in .parquet, not o.csv"),
    ],
)
def test_wrong_options_are_refused(sounds: Path, tmp_path: Path, options: dict[str, object], sentence: str) -> None:
    with pytest.raises(AuricleError, match=sentence):
        embed_manifest(
            load("logmel-stats"),
            Manifest.from_folder(sounds),
            **{"out": tmp_path / "o.parquet", "workers": 1, **options},
        )
    assert not list(tmp_path.iterdir())


def test_reading_says_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    with pytest.raises(AuricleError, match="does not exist"):
        read_embeddings(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(AuricleError, match="cannot be read as Parquet"):
        read_embeddings(tmp_path / "text.parquet")
    pq.write_table(pa.table({"path": ["a"]}), tmp_path / "plain.parquet")
    with pytest.raises(AuricleError, match="no column `embedding`"):
        read_embeddings(tmp_path / "plain.parquet")
    pq.write_table(pa.table({"embedding": [[1.0], [1.0, 2.0, 3.0]]}), tmp_path / "ragged.parquet")
    with pytest.raises(AuricleError, match="different lengths"):
        read_embeddings(tmp_path / "ragged.parquet")


def test_embeddings_of_other_programs_can_be_read(tmp_path: Path) -> None:
    vectors = np.arange(12.0).reshape(4, 3)
    pq.write_table(pa.table({"path": list("abcd"), "embedding": list(vectors)}), tmp_path / "o.parquet")
    table, embeddings = read_embeddings(tmp_path / "o.parquet")
    assert table.column_names == ["path"]
    assert embeddings.dtype == np.float32 and np.array_equal(embeddings, vectors)


@pytest.mark.real
def test_real_recordings_in_the_files_that_users_have(real_data: Path, tmp_path: Path) -> None:
    from auricle.inputs import manifest_of

    files = sorted((real_data / "ESC-50-master" / "audio").iterdir())[:20]
    manifest = manifest_of([*files, real_data / "odd"])
    model = load("logmel-stats")
    summary = embed_manifest(model, manifest, out=tmp_path / "o.parquet", workers=2)
    assert summary.rows == len(manifest) >= 23
    _, embeddings = read_embeddings(tmp_path / "o.parquet")
    assert_close(embeddings, np.stack([model.embed(file) for file in manifest.files]))
