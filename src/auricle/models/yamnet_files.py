"""YAMNet's published weights: the Keras file ``yamnet.h5`` and the quantised ``yamnet.tflite``.

The Keras file is float32 with batch-norm statistics; reading it takes h5py (the extra ``yamnet``). The TensorFlow Lite
file holds int8 weights into which batch-norm is folded, and was trained with activations that end at 6; its weights are
dequantised, activations are not rounded. The names of the classes come from ``yamnet_class_map.csv`` beside the file,
or from the label list that is packed into the latter.
"""

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auricle.errors import AuricleError
from auricle.models import places
from auricle.models.encoder import ModelCard
from auricle.models.tflite import Operator, read_labels, read_operators
from auricle.models.yamnet import EPSILON, LAYERS, SameConvolution, YAMNet, YAMNetConfig

NAME = "yamnet"
KERAS_FILE, TFLITE_FILE, CLASS_MAP = "yamnet.h5", "yamnet.tflite", "yamnet_class_map.csv"
KERAS_SUFFIXES = (".h5", ".hdf5", ".keras")
SOURCE = "https://storage.googleapis.com/audioset/yamnet.h5"
CEILINGS = {"RELU": None, "RELU6": 6.0}
KERAS_TENSOR = re.compile(  # what a dataset's path ends in, whatever groups it lies in
    r"layer(\d+)/(conv|depthwise_conv|pointwise_conv)/(bn/)?"
    r"(kernel|depthwise_kernel|beta|gamma|moving_mean|moving_variance)(:0)?$"
)

FloatArray = NDArray[np.float32]


def load_yamnet(path: Path | None = None) -> YAMNet:
    """YAMNet with published weights, in evaluation mode.

    Parameters
    ----------
    path
        ``.h5`` or ``.tflite``, or a folder that holds one; looked for in :mod:`auricle.models.places` when not given.

    Raises
    ------
    AuricleError
        When there is none, or it is damaged or another model's, or h5py is missing.
    """
    if path is None:
        path = places.find(KERAS_FILE, TFLITE_FILE)
        if path is None:
            raise AuricleError(
                f"YAMNet's weights are not on this machine: put yamnet.h5 (15 MB, from {SOURCE}, Apache-2.0) or "
                f"yamnet.tflite into {places.folders()[0]}, or give its place as {NAME}=PATH"
            )
    elif path.is_dir():
        inside = [path / name for name in (KERAS_FILE, TFLITE_FILE) if (path / name).is_file()]
        if not inside:
            raise AuricleError(f"{path} holds neither {KERAS_FILE} nor {TFLITE_FILE}")
        path = inside[0]
    if not path.is_file():
        raise AuricleError(f"{path} does not exist: expected YAMNet's {KERAS_FILE} or {TFLITE_FILE}")
    encoder = _from_keras(path) if path.suffix in KERAS_SUFFIXES else _from_tflite(path)
    encoder.name = NAME
    encoder.classes = _class_names(path, encoder.config.classes)
    encoder.card = ModelCard(
        source=f"YAMNet as published (tensorflow/models, research/audioset/yamnet), read from {path.name}",
        data=f"AudioSet, {encoder.config.classes} of its classes, supervised",
    )
    return encoder.eval()


def _from_tflite(path: Path) -> YAMNet:
    operators = read_operators(path)
    convolutions = [operator for operator in operators if operator.kind != "FULLY_CONNECTED"]
    layers = [operator for operator in operators if operator.kind == "FULLY_CONNECTED"]
    activations = {operator.activation for operator in convolutions}
    if len(activations) != 1 or not layers or not activations <= CEILINGS.keys():
        raise AuricleError(f"{path} is no YAMNet: expected convolutions with RELU or RELU6, then a classifier")
    classifier = layers[-1]  # before it stands the mel matrix
    encoder = YAMNet(YAMNetConfig(ceiling=CEILINGS[activations.pop()], classes=len(classifier.weight)))
    _same_count(len(convolutions), len(encoder.convolutions()), path)
    for number, (module, operator) in enumerate(zip(encoder.convolutions(), convolutions, strict=True), start=1):
        _fill_folded(module, operator, f"{path}: convolution {number}")
    _fill_classifier(encoder, classifier.weight, classifier.bias, path)
    return encoder


def _fill_folded(module: SameConvolution, operator: Operator, what: str) -> None:
    # Convolutions are stored as (outputs, height, width, inputs), depthwise ones as (1, height, width, channels).
    axes = (3, 0, 1, 2) if operator.kind == "DEPTHWISE_CONV_2D" else (0, 3, 1, 2)
    _fill(module.convolution.weight, operator.weight.transpose(axes), what)
    none = np.zeros_like(operator.bias)
    _fill_norm(module, beta=operator.bias, mean=none, variance=none + np.float32(1 - EPSILON), what=what)


def _from_keras(path: Path) -> YAMNet:
    tensors, classifier = _keras_tensors(path)
    encoder = YAMNet(YAMNetConfig(classes=classifier["kernel"].shape[1]))
    names = [("1", "conv")]
    for number in range(2, len(LAYERS) + 1):
        names += [(str(number), "depthwise_conv"), (str(number), "pointwise_conv")]
    for module, (layer, kind) in zip(encoder.convolutions(), names, strict=True):
        what = f"{path}: layer{layer}/{kind}"
        try:
            kernel = tensors[layer, kind, "depthwise_kernel" if kind == "depthwise_conv" else "kernel"]
            beta, mean, variance = (tensors[layer, kind, key] for key in ("beta", "moving_mean", "moving_variance"))
        except KeyError as error:
            raise AuricleError(f"{what} is missing its {error.args[0][2]}") from error
        # Keras stores (height, width, inputs, outputs), depthwise (height, width, channels, 1).
        axes = (2, 3, 0, 1) if kind == "depthwise_conv" else (3, 2, 0, 1)
        _fill(module.convolution.weight, kernel.transpose(axes), what)
        _fill_norm(module, beta=beta, mean=mean, variance=variance, what=what)
    _fill_classifier(encoder, classifier["kernel"].T, classifier["bias"], path)
    return encoder


def _keras_tensors(path: Path) -> tuple[Mapping[tuple[str, str, str], FloatArray], Mapping[str, FloatArray]]:
    """(layer, kind of convolution, weight) → values, and the classifier's kernel and bias."""
    try:
        import h5py
    except ImportError as error:
        raise AuricleError(f'{path} needs the `yamnet` extra: pip install "auricle[yamnet]"') from error
    found: dict[str, FloatArray] = {}

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = np.asarray(item[()], dtype=np.float32)

    try:
        with h5py.File(path, "r") as file:
            file.visititems(keep)
    except (OSError, ValueError, RuntimeError) as error:
        raise AuricleError(f"{path} is damaged or no Keras weight file: {error}") from error
    tensors, others = {}, {}
    for name, values in found.items():
        match = KERAS_TENSOR.search(name)
        if match is None:
            others[name] = values
        else:
            tensors[match[1], match[2], match[4]] = values
    kernels = [values for values in others.values() if values.ndim == 2 and values.shape[0] == LAYERS[-1][1]]
    biases = [
        values for values in others.values() if values.ndim == 1 and kernels and len(values) == kernels[0].shape[1]
    ]
    if len(kernels) != 1 or len(biases) != 1:
        raise AuricleError(f"{path} is no YAMNet: expected the kernel and the bias of one dense layer")
    return tensors, {"kernel": kernels[0], "bias": biases[0]}


def _fill_norm(module: SameConvolution, *, beta: FloatArray, mean: FloatArray, variance: FloatArray, what: str) -> None:
    assert module.norm.running_mean is not None and module.norm.running_var is not None
    for tensor, values in (
        (module.norm.bias, beta),
        (module.norm.running_mean, mean),
        (module.norm.running_var, variance),
    ):
        _fill(tensor, values, what)


def _fill_classifier(encoder: YAMNet, weight: FloatArray, bias: FloatArray, path: Path) -> None:
    assert encoder.classifier is not None
    _fill(encoder.classifier.weight, weight, f"{path}: the classifier")
    _fill(encoder.classifier.bias, bias, f"{path}: the classifier's bias")


def _fill(tensor: Tensor, values: FloatArray, what: str) -> None:
    if tuple(tensor.shape) != values.shape:
        raise AuricleError(f"{what} has shape {values.shape}, YAMNet's is {tuple(tensor.shape)}")
    with torch.no_grad():
        tensor.copy_(torch.from_numpy(np.array(values)))


def _same_count(found: int, expected: int, path: Path) -> None:
    if found != expected:
        raise AuricleError(f"{path} is no YAMNet: it has {found} convolutions, expected {expected}")


def _class_names(path: Path, count: int) -> tuple[str, ...]:
    """Names of the classes; empty when they are nowhere."""
    beside = path.with_name(CLASS_MAP)
    place = beside if beside.is_file() else places.find(CLASS_MAP)
    if place is None:
        names = [] if path.suffix in KERAS_SUFFIXES else read_labels(path)
    else:
        with place.open(newline="", encoding="utf-8") as file:
            names = [row["display_name"] for row in csv.DictReader(file) if row.get("display_name")]
    if names and len(names) != count:
        raise AuricleError(f"{place or path} names {len(names)} classes, the model has {count}")
    return tuple(names)
