"""Class embeddings as the pickles of cvjena/semantic-embeddings: read without running what they hold, and written.

The pickle is a dict: "embedding" (n, d) float64, "ind2label" (the label of each row), "label2ind" (its inverse).
"""

import collections
import math
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kith.errors import KithError, listed
from kith.taxonomy import Id

KEYS = ("embedding", "ind2label", "label2ind")


class ClassEmbedding(NamedTuple):
    """embedding: (n, d) float64, one row a class. labels: the n classes, int or str."""

    embedding: np.ndarray
    labels: list[Id]


def read(path: Path | str) -> ClassEmbedding:
    """The class embedding in a pickle written by any NumPy under Python 2 or 3.

    Only arrays of numbers and strings, NumPy scalars and plain containers are built; a pickle that names anything
    else is refused before it is called. Raises KithError for such a file, and for one that breaks the contract.
    """
    try:
        with Path(path).open("rb") as file:
            content = _Unpickler(file, encoding="latin1").load()
            content = {key: _resolved(value) for key, value in content.items()} if isinstance(content, dict) else {}
    except FileNotFoundError:
        raise KithError(f"{path}: no such file") from None
    except KithError as error:
        raise KithError(f"{path}: {error}") from None
    except Exception as error:  # a broken pickle may fail in any way
        raise KithError(f"{path}: cannot be read as a pickle: {type(error).__name__}: {error}") from None
    return _checked(path, content)


def write(path: Path | str, embedding: np.ndarray, labels: Sequence[Id]) -> None:
    """Writes a class embedding, (n, d) and its n labels, so that any NumPy under Python 3.4 or later loads it.

    Raises KithError for repeated labels and for labels that do not fit the rows.
    """
    rows = np.asarray(embedding, dtype=np.float64)
    content = {"embedding": rows, "ind2label": list(labels), "label2ind": {y: row for row, y in enumerate(labels)}}
    rows, plain = _checked(path, content)
    content = {"embedding": rows, "ind2label": plain, "label2ind": {y: row for row, y in enumerate(plain)}}
    with Path(path).open("wb") as file:
        _Pickler(file, protocol=4).dump(content)


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        # NumPy's own form names modules that differ between its versions; the constructor is in all of them.
        if isinstance(value, np.ndarray):
            return np.ndarray, (value.shape, value.dtype.str, bytearray(value.tobytes()))
        return NotImplemented


def _checked(path: Path | str, content: dict[Any, Any]) -> ClassEmbedding:
    if missing := [key for key in KEYS if key not in content]:
        raise KithError(f"{path}: has no {listed(missing)}; expected a dict of {listed(KEYS)}")
    embedding, labels, index = (content[key] for key in KEYS)
    if not isinstance(embedding, np.ndarray) or embedding.ndim != 2 or embedding.dtype.kind not in "fiu":
        raise KithError(f"{path}: embedding: expected an (n, d) array of numbers")
    if not isinstance(labels, list | tuple | np.ndarray) or len(labels) != len(embedding):
        raise KithError(f"{path}: ind2label: expected a list of {len(embedding)} labels, one a row of embedding")
    plain = [label.item() if isinstance(label, np.generic) else label for label in labels]
    if strange := [label for label in plain if not isinstance(label, int | str)]:
        raise KithError(f"{path}: ind2label: {strange[0]!r} is neither an integer nor a string")
    if not isinstance(index, dict) or any(index.get(label) != row for row, label in enumerate(plain)):
        raise KithError(f"{path}: label2ind: does not lead from each label of ind2label to its row; is one repeated?")
    return ClassEmbedding(embedding.astype(np.float64), plain)


def _resolved(value: Any) -> Any:
    return value.array() if isinstance(value, _Array) else value


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return ALLOWED[module.replace("numpy.core", "numpy._core"), name]
        except KeyError:
            raise KithError(f"refused: it names '{module}.{name}', which is no part of a class embedding") from None


class _DType:
    """Stands for a NumPy dtype while a pickle is read."""

    def __init__(self, code: str, *_: Any) -> None:
        self.dtype = np.dtype(code)
        if self.dtype.kind not in "biufSU":
            raise KithError(f"refused: it holds an array of the type '{self.dtype}'")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """Stands for a NumPy array while a pickle is read: nothing of NumPy runs but to interpret its bytes."""

    def __init__(self, shape: Any = (0,), dtype: Any = "u1", raw: Any = b"", order: str = "C") -> None:
        self.shape, self.raw, self.order = shape, raw, order
        self.dtype = dtype if isinstance(dtype, _DType) else _DType(dtype)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        shape, dtype, fortran, raw = state[-4:]
        self.__init__(shape, dtype, raw, "F" if fortran else "C")  # type: ignore[misc]

    def array(self) -> np.ndarray:
        raw = _bytes(self.raw)
        if len(raw) != math.prod(self.shape) * self.dtype.dtype.itemsize:
            raise KithError(f"an array of the shape {self.shape} has {len(raw)} bytes")
        return np.frombuffer(raw, self.dtype.dtype).reshape(self.shape, order=self.order)  # type: ignore[call-overload]


class _Function:
    """Something that a pickle may call, and whose attributes it cannot set."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise KithError("refused: it sets attributes of a function")


def _bytes(raw: Any = b"", encoding: str = "latin1") -> bytes:
    """Bytes, or text that stands for them: Latin 1 is how Python 2 and 3 read each other's."""
    if encoding != "latin1" or not isinstance(raw, bytes | bytearray | str):
        raise KithError(f"refused: it makes bytes of {type(raw).__name__} by '{encoding}'")
    return raw.encode("latin1") if isinstance(raw, str) else bytes(raw)


def _scalar(dtype: _DType, raw: Any) -> Any:
    return _Array((), dtype, raw).array().item()


def _frombuffer(raw: Any, dtype: _DType, shape: Any, order: str, *_: Any) -> _Array:
    return _Array(shape, dtype, raw, order)


FUNCTIONS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy._core.multiarray", "_reconstruct"): lambda *_: _Array(),
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy._core.numeric", "_frombuffer"): _frombuffer,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    ("_codecs", "encode"): _bytes,
}
FUNCTIONS |= {(module, name): _bytes for module in ("builtins", "__builtin__") for name in ("bytes", "bytearray")}
ALLOWED: dict[tuple[str, str], Any] = {name: _Function(call) for name, call in FUNCTIONS.items()}
PLAIN = (set, frozenset, complex)
ALLOWED |= {(module, kind.__name__): kind for module in ("builtins", "__builtin__") for kind in PLAIN}
ALLOWED |= {("collections", "OrderedDict"): collections.OrderedDict}
