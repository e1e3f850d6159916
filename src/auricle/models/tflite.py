"""What is read of a TensorFlow Lite file: its operators in order, with their constant tensors, dequantised.

A reader for the few tables that this takes, written from the public schema (tensorflow/lite/schema/schema.fbs, v3)
and the FlatBuffers format: a table begins with the distance to its vtable, which holds, by field number, where in the
table a field lies. Nothing in the file is run, and whatever it says is checked against its length.
"""

import io
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auricle.errors import AuricleError

IDENTIFIER = b"TFL3"
TYPES = {0: "<f4", 1: "<f2", 2: "<i4", 3: "u1", 4: "<i8", 9: "i1"}  # TensorType
OPERATORS = {3: "CONV_2D", 4: "DEPTHWISE_CONV_2D", 9: "FULLY_CONNECTED"}  # BuiltinOperator
ACTIVATION_FIELDS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 4, "FULLY_CONNECTED": 0}  # fused_activation_function
ACTIVATIONS = {0: "NONE", 1: "RELU", 3: "RELU6"}  # ActivationFunctionType

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Operator:
    """A convolution or fully connected layer.

    Attributes
    ----------
    kind
        ``CONV_2D``, ``DEPTHWISE_CONV_2D`` or ``FULLY_CONNECTED``.
    weight
        ``(outputs, height, width, inputs)``, ``(1, height, width, channels)`` or ``(outputs, inputs)``.
    bias
        ``(outputs,)``.
    activation
        ``NONE``, ``RELU`` or ``RELU6``, or a number for any other.
    """

    kind: str
    weight: FloatArray
    bias: FloatArray
    activation: str


def read_operators(path: Path) -> list[Operator]:
    """The convolutions and fully connected layers of the first graph in a ``.tflite`` file, in their order.

    Raises
    ------
    AuricleError
        When it is no such file, or damaged.
    """
    data = path.read_bytes()
    if data[4:8] != IDENTIFIER:
        raise AuricleError(f"{path} is no TensorFlow Lite file: it does not begin with TFL3")
    try:
        return _operators(data)
    except (struct.error, IndexError, ValueError, KeyError) as error:
        raise AuricleError(f"{path} is damaged: {error}") from error


def read_labels(path: Path) -> list[str]:
    """Lines of the label list that is packed into a ``.tflite`` file with metadata; empty when there is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as packed:
            names = [name for name in packed.namelist() if name.endswith(".txt")]
            return packed.read(names[0]).decode().splitlines() if names else []
    except (zipfile.BadZipFile, UnicodeDecodeError):
        return []


def _operators(data: bytes) -> list[Operator]:
    model = _Table(data, _unsigned(data, 0))
    codes = [_code_of(table) for table in model.tables(1)]
    graph = model.tables(2)[0]
    buffers, tensors = model.tables(4), graph.tables(0)
    found = []
    for operator in graph.tables(3):
        kind = OPERATORS.get(codes[operator.integer(0)])
        if kind is None:
            continue
        _, weight, bias = operator.integers(1)
        options = operator.table(4)
        number = 0 if options is None else options.integer(ACTIVATION_FIELDS[kind], "b")
        found.append(
            Operator(
                kind,
                _constant(tensors[weight], buffers),
                _constant(tensors[bias], buffers),
                ACTIVATIONS.get(number, str(number)),
            )
        )
    return found


def _code_of(table: "_Table") -> int:
    """An operator's number: a byte in older files, to which newer ones write 127 beside a larger integer."""
    return max(table.integer(0, "b"), table.integer(3))


def _constant(tensor: "_Table", buffers: list["_Table"]) -> FloatArray:
    """A constant tensor as float32; quantised ones per channel or as a whole."""
    content = buffers[tensor.integer(2, "I")].content(0)
    values = np.frombuffer(content, dtype=TYPES[tensor.integer(1, "b")]).reshape(tensor.integers(0))
    quantisation = tensor.table(4)
    scales = np.zeros(0) if quantisation is None else np.frombuffer(quantisation.content(2, 4), dtype="<f4")
    if quantisation is None or not len(scales):
        return values.astype(np.float32)
    zeros = np.frombuffer(quantisation.content(3, 8), dtype="<i8")
    steps = values.astype(np.float64) - _along(quantisation.integer(6), zeros, values.ndim)
    dequantised = steps * _along(quantisation.integer(6), scales, values.ndim)
    return dequantised.astype(np.float32)


def _along(axis: int, values: NDArray[Any], ndim: int) -> NDArray[np.float64]:
    """One number for a whole tensor, or one for each step along an axis, as it is multiplied with the tensor."""
    shape = [1] * ndim
    if len(values) > 1:
        shape[axis] = len(values)
    return values.astype(np.float64).reshape(shape) if len(values) else np.zeros(shape)


def _unsigned(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0])


class _Table:
    """A FlatBuffers table at byte `at` of the file; fields by their number in the schema."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        vtable = at - int(struct.unpack_from("<i", data, at)[0])
        if vtable < 0:
            raise ValueError(f"the table at byte {at} has no fields")
        size = int(struct.unpack_from("<H", data, vtable)[0])
        self._fields = struct.unpack_from(f"<{size // 2 - 2}H", data, vtable + 4)

    def _field(self, number: int) -> int | None:
        """Where a field lies; None when it is not there and has its default."""
        offset = self._fields[number] if number < len(self._fields) else 0
        return self._at + offset if offset else None

    def integer(self, number: int, kind: str = "i") -> int:
        """A number of the struct module's `kind`; 0 by default."""
        at = self._field(number)
        return 0 if at is None else int(struct.unpack_from(f"<{kind}", self._data, at)[0])

    def table(self, number: int) -> "_Table | None":
        """A table inside this one."""
        at = self._field(number)
        return None if at is None else _Table(self._data, at + _unsigned(self._data, at))

    def _vector(self, number: int) -> tuple[int, int]:
        """Where a vector's elements begin, and how many there are."""
        at = self._field(number)
        if at is None:
            return 0, 0
        start = at + _unsigned(self._data, at)
        return start + 4, _unsigned(self._data, start)

    def content(self, number: int, size: int = 1) -> bytes:
        """The bytes of a vector whose elements have `size` bytes."""
        start, count = self._vector(number)
        if start + count * size > len(self._data):
            raise ValueError(f"{count * size} bytes at byte {start} lie beyond its end")
        return self._data[start : start + count * size]

    def integers(self, number: int) -> tuple[int, ...]:
        """A vector of 32-bit integers."""
        return tuple(np.frombuffer(self.content(number, 4), dtype="<i4").tolist())

    def tables(self, number: int) -> list["_Table"]:
        """A vector of tables."""
        start, _ = self._vector(number)
        offsets = np.frombuffer(self.content(number, 4), dtype="<u4").tolist()
        return [_Table(self._data, start + 4 * index + offset) for index, offset in enumerate(offsets)]
