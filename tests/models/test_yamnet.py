"""YAMNet against its layer table, against TensorFlow's rules for padding, and against the published file itself."""

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

import auricle
from auricle import audio
from auricle.errors import AuricleError
from auricle.models.tflite import read_labels, read_operators
from auricle.models.yamnet import LAYERS, SameConvolution, YAMNet, mel_matrix
from auricle.models.yamnet_files import load_yamnet

from .signals import chirps, with_lively_batch_norm

RATE = 16_000
ONE_PATCH = 15_600  # samples: what the published file takes
LOGIT_STEP = 0.34717748  # of the published file's last layer


@pytest.fixture(scope="module")
def tflite() -> Path:
    """The published file, where AURICLE_MODELS or the shared folder has it; tests that use it are marked `real`."""
    given = os.environ.get("AURICLE_MODELS")
    folder = Path(given) if given else Path(__file__).parents[3] / "shared" / "models"
    if not (folder / "yamnet.tflite").is_file():
        pytest.skip(f"yamnet.tflite is not in {folder}; set AURICLE_MODELS")
    return folder / "yamnet.tflite"


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of models, and an empty cache."""
    monkeypatch.setenv("AURICLE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("AURICLE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


# --- the network ----------------------------------------------------------------------------------------------------


def test_parameters_are_those_of_the_fact_sheet() -> None:
    # Weights and batch-norm centres of 27 convolutions, and the classifier: by hand from the layer table.
    channels = [32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]
    count = 9 * 32 + 32
    for before, after in pairwise(channels):
        count += 9 * before + before + before * after + after
    assert count + 1024 * 521 + 521 == 3_729_481
    assert YAMNet().parameters_count == 3_729_481


def test_maps_shrink_as_in_the_layer_table() -> None:
    x = torch.zeros(1, 1, 96, 64)
    shapes = []
    for block in YAMNet().eval().blocks:
        x = block(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes[0] == (32, 48, 32)
    assert shapes[5] == (256, 12, 8)
    assert shapes[-1] == (1024, 3, 2)


@pytest.mark.parametrize(("size", "stride", "first"), [(6, 2, 0), (5, 2, -1), (6, 1, -1)])
def test_padding_is_tensorflows_same(size: int, stride: int, first: int) -> None:
    """TensorFlow's rule: ⌈size / stride⌉ outputs, the smaller half of the missing zeros in front."""
    module = SameConvolution(1, 1, kernel=3, stride=stride, groups=1, ceiling=None).eval()
    module.convolution.weight.data = torch.zeros(1, 1, 3, 3)
    module.convolution.weight.data[0, 0, 0, 1 if stride == 1 or size % 2 else 0] = 1.0  # the kernel's first row
    rows = torch.arange(1.0, size + 1)[:, None].expand(size, size)
    out = module(rows[None, None])[0, 0, :, 0]
    expected = [
        max(0, first + stride * n + 1) for n in range(-(-size // stride))
    ]  # row numbers begin at 1; 0 is padding
    np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("samples", "patches"), [(1, 1), (15_600, 1), (15_601, 2), (15_600 + 7680, 2), (15_601 + 7680, 3), (RATE * 10, 20)]
)
def test_the_last_patch_is_completed_with_zeros(samples: int, patches: int) -> None:
    model = with_lively_batch_norm(YAMNet()).eval()
    clip = chirps(1, samples)
    with torch.inference_mode():
        frames, times = model.frames(clip)
        assert frames.shape == (1, patches, 1024)
        filled = torch.nn.functional.pad(clip, (0, 15_600 + (patches - 1) * 7680 - samples))
        torch.testing.assert_close(model(clip), model(filled))
        torch.testing.assert_close(model.scores(clip), model.scores(filled))
    np.testing.assert_allclose(times, 0.4875 + 0.48 * np.arange(patches))


def test_scores_are_means_over_true_patches() -> None:
    model = with_lively_batch_norm(YAMNet()).eval()
    clips, lengths = chirps(2, 40_000), torch.tensor([40_000, 20_000])
    with torch.inference_mode():
        together = model.scores(clips, lengths)
        assert together.shape == (2, 521)
        assert ((together > 0) & (together < 1)).all()
        torch.testing.assert_close(together[1], model.scores(clips[1, :20_000]))
        frames, _ = model.frames(clips[0])
        weight, bias = model.classifier.weight.numpy(), model.classifier.bias.numpy()
        logits = frames.numpy() @ weight.T + bias
        np.testing.assert_allclose(together[0], (1 / (1 + np.exp(-logits))).mean(axis=0), rtol=1e-4)


def test_trained_on_it_leaves_its_classes_behind(tmp_path: Path) -> None:
    model = YAMNet().eval()
    clip = chirps(1, 20_000)
    with torch.inference_mode():
        expected = model(clip)
        model.classes = ("Speech",) * 521
        loaded = auricle.load(model.without_classifier().save_pretrained(tmp_path))
        assert torch.equal(loaded(clip), expected)
    assert loaded.classes == ()
    assert loaded.parameters_count == 3_729_481 - 1024 * 521 - 521
    with pytest.raises(AuricleError, match="has no scores, only embeddings"):
        loaded.scores(clip)  # type: ignore[operator]


def test_layers_end_in_the_embedding() -> None:
    model = YAMNet().eval()
    with torch.inference_mode():
        layers = model.layers(chirps(1, 30_000)[0])
        torch.testing.assert_close(layers["layer14"], model.frames(chirps(1, 30_000)[0])[0])
    assert [layer.shape[1] for layer in layers.values()] == [channels for _, channels in LAYERS]


# --- the published tflite file --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def interpreter(tflite: Path) -> Any:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(str(tflite), num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


@pytest.fixture(scope="module")
def clips(real_data: Path) -> list[np.ndarray]:
    """The first 15,600 samples of 50 ESC-50 clips, one of each class."""
    files = audio.find(real_data / "ESC-50-master" / "audio")
    of_class = {path.stem.rpartition("-")[2]: path for path in files}
    assert len(of_class) == 50
    heard = [audio.read(path, sample_rate=RATE, duration=1.0)[:ONE_PATCH] for path in of_class.values()]
    return [np.pad(clip, (0, ONE_PATCH - len(clip))) for clip in heard]


@pytest.fixture(scope="module")
def published(interpreter: Any, clips: list[np.ndarray]) -> np.ndarray:
    """Scores by the file itself, run by LiteRT."""
    scores = []
    for clip in clips:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], clip)
        interpreter.invoke()
        scores.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0].copy())
    return np.stack(scores)


def ours(model: YAMNet, clips: list[np.ndarray]) -> np.ndarray:
    with torch.inference_mode():
        return model.scores(torch.from_numpy(np.stack(clips))).numpy()


def logits(scores: np.ndarray) -> np.ndarray:
    return np.log(scores) - np.log1p(-scores)


@pytest.mark.real
def test_constants_are_read_as_litert_reads_them(tflite: Path, interpreter: Any) -> None:
    found = read_operators(tflite)
    kinds = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
    expected = [operator for operator in interpreter._get_ops_details() if operator["op_name"] in kinds]
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    assert [operator.kind for operator in found] == [operator["op_name"] for operator in expected]
    assert len(found) == 29  # the mel matrix, 27 convolutions, the classifier
    for mine, theirs in zip(found, expected, strict=True):
        for values, index in zip((mine.weight, mine.bias), theirs["inputs"][1:], strict=True):
            raw = interpreter.get_tensor(index).astype(np.float64)
            quantisation = details[index]["quantization_parameters"]
            if len(quantisation["scales"]):
                shape = [1] * raw.ndim
                shape[quantisation["quantized_dimension"]] = -1
                zeros = quantisation["zero_points"].reshape(shape if len(quantisation["zero_points"]) > 1 else 1)
                raw = (raw - zeros) * quantisation["scales"].astype(np.float64).reshape(shape)
            np.testing.assert_allclose(values, raw, rtol=1e-6)


@pytest.mark.real
def test_mel_matrix_and_offset_are_those_in_the_file(tflite: Path) -> None:
    front = read_operators(tflite)[0]
    np.testing.assert_allclose(mel_matrix().T, front.weight, atol=1e-7)
    np.testing.assert_allclose(front.bias, 0.001)


@pytest.mark.real
def test_top_class_is_the_files_on_real_clips(tflite: Path, clips: list[np.ndarray], published: np.ndarray) -> None:
    """Scores of the file come in coarse steps: on a fifth of the clips several classes share the highest."""
    scores = ours(load_yamnet(tflite), clips)
    top = published[np.arange(len(clips)), scores.argmax(axis=1)] == published.max(axis=1)
    assert top.mean() >= 0.95
    alone = (published == published.max(axis=1, keepdims=True)).sum(axis=1) == 1
    assert alone.sum() > 30
    assert (scores.argmax(axis=1) == published.argmax(axis=1))[alone].mean() >= 0.95


@pytest.mark.real
def test_scores_are_within_one_step_of_the_files(tflite: Path, clips: list[np.ndarray], published: np.ndarray) -> None:
    scores = ours(load_yamnet(tflite), clips)
    told = (published > 8 / 256) & (published < 1 - 8 / 256)  # beyond, a 256th is more than a step of the logit
    assert told.sum() > 200
    difference = np.abs(logits(scores[told].astype(np.float64)) - logits(published[told].astype(np.float64)))
    assert (difference < LOGIT_STEP).mean() >= 0.97
    assert np.median(difference) < LOGIT_STEP / 3
    assert np.abs(scores - published).mean() < 1 / 1024


@pytest.mark.real
def test_rounded_as_the_file_rounds_it_is_the_file(
    tflite: Path, interpreter: Any, clips: list[np.ndarray], published: np.ndarray
) -> None:
    """What differs from the file is the rounding of its activations and nothing else."""
    model = load_yamnet(tflite)
    details = {detail["index"]: detail["quantization_parameters"] for detail in interpreter.get_tensor_details()}

    def rounding(index: int) -> Any:
        [scale], [zero] = details[index]["scales"].tolist(), details[index]["zero_points"].tolist()
        return lambda x: ((x / scale).round().add(zero).clamp(-128, 127) - zero) * scale

    operators = interpreter._get_ops_details()
    made = {operator["op_name"]: operator["outputs"][0] for operator in operators}  # of the last one of each kind
    convolutions = [operator["outputs"][0] for operator in operators if operator["op_name"].endswith("CONV_2D")]
    modules = [model.patches, *model.convolutions(), model.classifier]
    for module, index in zip(modules, [made["QUANTIZE"], *convolutions, made["FULLY_CONNECTED"]], strict=True):
        module.register_forward_hook(lambda _, given, out, index=index: rounding(index)(out))
    model.classifier.register_forward_pre_hook(lambda _, given: (rounding(made["MEAN"])(given[0]),))
    difference = np.abs(ours(model, clips) - published)
    assert (difference < 1.5 / 256).mean() >= 0.995
    assert difference.mean() < 0.8 * np.abs(ours(load_yamnet(tflite), clips) - published).mean()


@pytest.mark.real
def test_classes_have_their_names(tflite: Path, real_data: Path, tmp_path: Path, nowhere: Path) -> None:
    model = load_yamnet(tflite)
    assert len(model.classes) == 521
    assert model.classes[:2] == ("Speech", "Child speech, kid speaking")  # a comma within a name
    alone = nowhere / "yamnet.tflite"
    alone.write_bytes(tflite.read_bytes())
    assert auricle.load("yamnet").classes == tuple(read_labels(alone)) == model.classes
    [dog] = [path for path in audio.find(real_data / "ESC-50-master" / "audio") if path.stem == "1-100032-A-0"]
    with torch.inference_mode():
        scores = model.scores(torch.from_numpy(audio.read(dog, sample_rate=RATE)))
    assert {"Dog", "Animal"} <= {model.classes[index] for index in scores.topk(4).indices}
    saved = auricle.load(model.save_pretrained(tmp_path / "saved"))
    assert saved.classes == model.classes


@pytest.mark.real
def test_a_truncated_file_is_damaged_wherever_it_ends(tflite: Path, tmp_path: Path) -> None:
    content = tflite.read_bytes()
    broken = tmp_path / "yamnet.tflite"
    for end in [0, 4, 7, 8, 20, *range(100, len(content), len(content) // 25)]:
        broken.write_bytes(content[:end])
        with pytest.raises(AuricleError, match=r"yamnet\.tflite .*(is no TensorFlow Lite file|is damaged)") as caught:
            load_yamnet(broken)
        assert "\n" not in str(caught.value)


# --- the published Keras file ---------------------------------------------------------------------------------------


def keras_file(path: Path, model: YAMNet) -> Path:
    """The weights as tf.keras 2 writes them: a group per layer, in it a dataset per weight under its full name."""
    names = ["layer1/conv"]
    for layer in range(2, 15):
        names += [f"layer{layer}/depthwise_conv", f"layer{layer}/pointwise_conv"]
    with h5py.File(path, "w") as file:

        def write(layer: str, **weights: torch.Tensor) -> None:
            for name, values in weights.items():
                file[f"{layer}/{layer}/{name}:0"] = values.detach().numpy()

        for name, module in zip(names, model.convolutions(), strict=True):
            kernel = module.convolution.weight
            if name.endswith("depthwise_conv"):
                write(name, depthwise_kernel=kernel.permute(2, 3, 0, 1))
            else:
                write(name, kernel=kernel.permute(2, 3, 1, 0))
            norm = module.norm
            write(f"{name}/bn", beta=norm.bias, moving_mean=norm.running_mean, moving_variance=norm.running_var)
        write("dense", kernel=model.classifier.weight.T, bias=model.classifier.bias)
    return path


def test_the_keras_file_gives_the_same_model(nowhere: Path) -> None:
    model = with_lively_batch_norm(YAMNet()).eval()
    for module in model.convolutions():
        module.norm.weight.data.fill_(1.0)  # the published batch-norm has no scale
    keras_file(nowhere / "yamnet.h5", model)
    loaded = auricle.load("yamnet")
    waveform = chirps(2, 30_000)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(waveform), model(waveform))
        torch.testing.assert_close(loaded.scores(waveform), model.scores(waveform))  # type: ignore[operator]
    assert loaded.config == YAMNet().config
    assert loaded.name == "yamnet"
    assert loaded.classes == ()
    assert loaded.card.licence == "Apache-2.0"
    for source in (f"yamnet={nowhere}", f"yamnet={nowhere / 'yamnet.h5'}"):
        assert auricle.load(source).weights_fingerprint == loaded.weights_fingerprint
    (nowhere / "yamnet_class_map.csv").write_text("index,mid,display_name\n0,/m/09x0r,Speech\n")
    with pytest.raises(AuricleError, match="names 1 classes, the model has 521"):
        auricle.load("yamnet")


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        (
            "layer3/depthwise_conv/depthwise_kernel",
            np.zeros((2, 3, 64, 1)),
            r"layer3/depthwise_conv has shape \(64, 1, 2",
        ),
        ("layer2/pointwise_conv/bn/beta", None, "layer2/pointwise_conv is missing its beta"),
        ("dense/bias", None, "is no YAMNet: expected the kernel and the bias of one dense layer"),
    ],
    ids=["shape", "missing", "classifier"],
)
def test_other_keras_files_are_one_sentence(nowhere: Path, name: str, values: Any, message: str) -> None:
    path = keras_file(nowhere / "yamnet.h5", YAMNet())
    with h5py.File(path, "a") as file:
        place = f"{name.rpartition('/')[0]}/{name}:0"
        del file[place]
        if values is not None:
            file[place] = values
    with pytest.raises(AuricleError, match=message) as caught:
        auricle.load("yamnet")
    assert "\n" not in str(caught.value)


def test_a_truncated_keras_file_is_damaged(nowhere: Path) -> None:
    path = keras_file(nowhere / "yamnet.h5", YAMNet())
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(AuricleError, match="is damaged or no Keras weight file"):
        auricle.load("yamnet")


def test_absent_weights_say_what_from_where_and_where_to_put_it(nowhere: Path) -> None:
    with pytest.raises(AuricleError) as caught:
        auricle.load("yamnet")
    for part in (
        "YAMNet",
        "https://storage.googleapis.com/audioset/yamnet.h5",
        "Apache-2.0",
        str(nowhere),
        "yamnet=PATH",
    ):
        assert part in str(caught.value)
    with pytest.raises(AuricleError, match="holds neither"):
        auricle.load(f"yamnet={nowhere}")
    with pytest.raises(AuricleError, match=r"nothing\.h5 does not exist"):
        auricle.load(f"yamnet={nowhere / 'nothing.h5'}")


def test_the_cache_is_looked_in_after_the_users_folder(nowhere: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    keras_file(tmp_path / "cache" / "yamnet.h5", YAMNet().eval())
    cached = auricle.load("yamnet").weights_fingerprint
    keras_file(nowhere / "yamnet.h5", YAMNet().eval())
    assert auricle.load("yamnet").weights_fingerprint != cached
