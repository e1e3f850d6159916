"""Models of transformers as encoders, against the transformers library itself; small random ones, no network."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import load_file, save_file

import auricle
from auricle.embedding import embed_manifest
from auricle.embedding.file import read_embeddings
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.models.equal_lengths import CONTEXT_SECONDS
from auricle.models.hub_encoder import HubEncoder

from .hub_models import SMALL, TRANSFORMERS, network, transformers_folder
from .signals import chirps

RATE = 16_000


@pytest.fixture(scope="module", params=TRANSFORMERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return transformers_folder(name, tmp_path_factory.mktemp("hub") / name)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A small WavLM in a folder that a test may change."""
    return transformers_folder("wavlm", tmp_path / "wavlm")


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No hub, no cache; the folder of models that is looked in."""

    def unreachable(repo_id: str, **options: Any) -> str:
        raise LocalEntryNotFoundError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    monkeypatch.setenv("AURICLE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("AURICLE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "models"


def reference(name: str, clip: torch.Tensor) -> Any:
    """What transformers makes of one clip ``(samples,)``, its own feature extractor first."""
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=TRANSFORMERS[name][2])
    values = extractor(clip.numpy(), sampling_rate=RATE, return_tensors="pt").input_values
    with torch.inference_mode():
        return network(name)(values, output_hidden_states=True)


def test_frames_layers_and_embedding_are_those_of_transformers(name: str, folder: Path) -> None:
    encoder, clip = auricle.load(folder), 0.1 + chirps(1, 30_000)[0]
    expected = reference(name, clip)
    with torch.inference_mode():
        frames, times = encoder.frames(clip)
        layers = encoder.layers(clip)
        embedding = encoder(clip)
    torch.testing.assert_close(frames, expected.last_hidden_state[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(embedding, expected.last_hidden_state[0].mean(dim=0), rtol=1e-4, atol=1e-5)
    assert list(layers) == ["layer0", "layer1", "layer2"]
    for found, hidden in zip(layers.values(), expected.hidden_states, strict=True):
        torch.testing.assert_close(found, hidden[0], rtol=1e-4, atol=1e-5)
    # The published stem: a frame every 20 ms that sees 25 ms.
    np.testing.assert_allclose(times[:2], [0.0125, 0.0325])
    assert encoder.sample_rate == RATE
    assert encoder.name == name


@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")
def test_what_padding_does_to_a_group_normalised_model_does_not_happen_here(tmp_path: Path) -> None:
    """The clause has teeth: transformers' own padded batch differs from the clip alone, ours does not."""
    encoder = auricle.load(transformers_folder("wavlm", tmp_path / "wavlm"))
    clips, lengths = chirps(2, 32_000), torch.tensor([32_000, 16_000])
    alone = reference("wavlm", clips[1, :16_000]).last_hidden_state[0].mean(dim=0)
    mask = torch.arange(32_000) < lengths[:, None]
    with torch.inference_mode():
        padded = network("wavlm")(clips * mask, attention_mask=mask.long()).last_hidden_state[1, :49].mean(dim=0)
        ours = encoder(clips, lengths)[1]
    assert (padded - alone).norm() > 0.01 * alone.norm()
    torch.testing.assert_close(ours, alone, rtol=1e-4, atol=1e-5)


def test_beyond_max_seconds_windows_define_the_embedding(name: str, folder: Path) -> None:
    """Windows of 20 s at most, 16 s of each counting, with 2 s of context on either side: cut here by hand."""
    encoder, waveform = auricle.load(folder), chirps(1, 45 * RATE)[0]
    context, kept = round(CONTEXT_SECONDS * 50), 800  # frames
    assert encoder.max_seconds == 20.0
    parts, begin = [], 0
    while True:
        start = max(0, begin - context)
        last = len(waveform) - start * 320 <= (begin - start + kept + 2 * context) * 320
        end = len(waveform) if last else (begin + kept + context) * 320
        frames = reference(name, waveform[start * 320 : end]).last_hidden_state[0]
        parts.append(frames[begin - start :] if last else frames[begin - start : begin - start + kept])
        if last:
            break
        begin += kept
    assert len(parts) == 3
    expected = torch.cat(parts)
    assert len(expected) == encoder.frame_lengths(torch.tensor(len(waveform))) == (45 * RATE - 400) // 320 + 1
    with torch.inference_mode():
        torch.testing.assert_close(encoder.frames(waveform)[0], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(encoder.embed(waveform), expected.mean(dim=0).numpy(), rtol=1e-4, atol=1e-5)


def test_embedding_in_bulk_is_embedding_one_by_one(name: str, folder: Path, tmp_path: Path, sound_file: Any) -> None:
    encoder = auricle.load(folder)
    for number, samples in enumerate((16_000, 15_999, 8000, 300, 16_000)):
        sound_file(f"sounds/{number}.wav", chirps(5, samples)[number].numpy())
    manifest = Manifest.from_folder(tmp_path / "sounds")
    embed_manifest(encoder, manifest, out=tmp_path / "out.parquet", workers=1)
    _, embeddings = read_embeddings(tmp_path / "out.parquet")
    for path, row in zip(manifest.files, embeddings, strict=True):
        np.testing.assert_allclose(row, encoder.embed(path), rtol=1e-4, atol=1e-4)


def test_nothing_is_random_in_training(copied: Path) -> None:
    """Time masking and dropped layers would draw from generators of their own; dropout of torch is off here."""
    encoder = auricle.load(copied).train()
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    clip = chirps(2, 30_000)
    first, second = encoder(clip), encoder(clip)
    state = np.random.get_state()[1][:4].tolist()  # noqa: NPY002
    first.sum().backward()
    assert np.random.get_state()[1][:4].tolist() == state  # noqa: NPY002
    assert all(p.grad is not None for p in encoder.parameters() if p.requires_grad)
    assert first.shape == second.shape


# --- from where -----------------------------------------------------------------------------------------------------


def test_a_folder_of_the_users_stands_for_the_hub(copied: Path, offline: Path) -> None:
    expected = auricle.load(copied).weights_fingerprint
    for place in (offline / "wavlm-base-plus", offline / "microsoft" / "wavlm-base-plus"):
        shutil.copytree(copied, place)
        encoder = auricle.load("hf:microsoft/wavlm-base-plus")
        assert encoder.weights_fingerprint == expected
        assert encoder.name == "wavlm-base-plus"
        shutil.rmtree(place)


def test_wavlm_that_is_not_there_says_what_from_where_its_licence_and_where_to_put_it(offline: Path) -> None:
    with pytest.raises(AuricleError) as caught:
        auricle.load("hf:microsoft/wavlm-base-plus")
    message = str(caught.value)
    assert message.startswith(
        "WavLM Base+ is not on this machine: 378 MB from the hub id microsoft/wavlm-base-plus (MIT); offline, put the "
        f"folder at {offline / 'wavlm-base-plus'}"
    )
    assert "\n" not in message


def test_the_hub_gives_what_is_needed_and_no_more(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offline: Path
) -> None:
    """WavLM Base+ lies on the hub as pytorch_model.bin alone, beside files that nobody needs."""
    torch.save(load_file(copied / "model.safetensors"), copied / "pytorch_model.bin")
    (copied / "model.safetensors").unlink()
    (copied / "README.md").write_text("---\nlicense: mit\n---\n# WavLM\n")
    (copied / "tf_model.h5").write_bytes(b"0" * 100)
    fetched = tmp_path / "fetched"
    fetched.mkdir()

    def snapshot(repo_id: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        for pattern in allow_patterns:
            for path in copied.glob(pattern):
                shutil.copy(path, fetched)
        return str(fetched)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    encoder = auricle.load("hf:someone/small")
    assert {path.name for path in fetched.iterdir()} == {
        "config.json", "preprocessor_config.json", "pytorch_model.bin", "README.md"
    }  # fmt: skip
    assert encoder.card.licence == "mit"
    clip = chirps(1, 20_000)[0]
    with torch.inference_mode():
        torch.testing.assert_close(
            encoder.frames(clip)[0], reference("wavlm", clip).last_hidden_state[0], rtol=1e-4, atol=1e-5
        )


def test_a_model_with_a_head_gives_its_encoder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    speech = transformers.Wav2Vec2ForCTC(transformers.Wav2Vec2Config(**SMALL)).eval()
    speech.save_pretrained(tmp_path)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(tmp_path)
    clip = chirps(1, 20_000)
    with torch.inference_mode():
        found, _ = auricle.load(tmp_path).frames(clip)
        torch.testing.assert_close(found, speech.wav2vec2(clip).last_hidden_state, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["hubert", "data2vec-audio", "unispeech-sat", "sew", "wav2vec2-conformer"])
def test_other_families_hear_too(kind: str, tmp_path: Path) -> None:
    sizes = {key: value for key, value in SMALL.items() if kind != "sew" or key != "conv_dim"}  # its stem has 13 layers
    config = transformers.AutoConfig.for_model(kind, **sizes)
    torch.manual_seed(0)
    expected = transformers.AutoModel.from_config(config).eval()
    expected.save_pretrained(tmp_path)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(tmp_path)
    clip = chirps(1, 20_000)
    with torch.inference_mode():
        found, _ = auricle.load(tmp_path).frames(clip)
        torch.testing.assert_close(found, expected(clip).last_hidden_state, rtol=1e-4, atol=1e-5)


# --- what can be wrong ----------------------------------------------------------------------------------------------


def without_a_tensor(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["encoder.layers.1.attention.q_proj.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def another(**values: Any) -> Any:
    return lambda folder: (folder / "config.json").write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "preprocessor_config.json").unlink(), r"preprocessor_config\.json is missing"),
        (lambda folder: (folder / "model.safetensors").unlink(), r"model\.safetensors is missing"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"0" * 50), "cannot be read"),
        (without_a_tensor, r"lacks weights of its model: encoder\.layers\.1\.attention\.q_proj\.weight"),
        (another(model_type="whisper"), "whisper does not hear waveforms through convolutions: expected a model"),
        (another(model_type="bert"), "bert does not hear waveforms"),
        (another(model_type="wavlm", num_hidden_layers=None), "wavlm is no model that transformers can build"),
        (another(model_type="yamhear"), "yamhear is no model that transformers can build"),
    ],
    ids=["preprocessor", "weights", "garbage", "tensor", "whisper", "bert", "nonsense", "unknown"],
)
def test_what_is_no_waveform_encoder_is_one_sentence(copied: Path, damage: Any, message: str) -> None:
    damage(copied)
    with pytest.raises(AuricleError, match=message) as caught:
        auricle.load(copied)
    assert "\n" not in str(caught.value)


def test_without_the_extra_the_extra_is_named(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(AuricleError, match=r'pip install "auricle\[wavlm\]"'):
        auricle.load(copied)


def test_the_mask_token_is_not_trained(copied: Path) -> None:
    encoder = auricle.load(copied)
    assert isinstance(encoder, HubEncoder)
    theirs = sum(p.numel() for p in network("wavlm").parameters())
    assert encoder.parameters_count == theirs - SMALL["hidden_size"]
