"""Reading pickles of plain values and of arrays, and nothing else: no code in the file is run."""

import collections
import math
import pickle
from collections.abc import Callable
from typing import IO, Any, Literal

import numpy as np


class BadPickle(Exception):
    """The pickle is broken, or names something that is not read; the message says what."""


def load(file: IO[bytes], *, strings: Literal["latin1", "bytes"] = "latin1", kinds: str = "biufSU") -> Any:
    """The value in `file`: dicts, lists, tuples, sets, numbers, texts, bytes, and NumPy scalars and arrays.

    Pickles of any NumPy under Python 2 and 3 are read. `strings`: whether the strings of Python 2 come as texts
    (Latin 1) or as bytes. `kinds`: the kinds (`numpy.dtype.kind`) of arrays that are read; never objects. Arrays in
    dicts and lists are read-only.

    Raises BadPickle for anything else, before it is called, and for a stream that is broken in whatever way.

    >>> import io
    >>> load(io.BytesIO(pickle.dumps({"data": np.arange(3)})))["data"].tolist()
    [0, 1, 2]
    >>> load(io.BytesIO(pickle.dumps(print)))
    Traceback (most recent call last):
        ...
    kith.unpickle.BadPickle: refused: it names 'builtins.print', and only plain values and arrays are read
    """
    try:
        return _Resolver(kinds)(_Unpickler(file, encoding=strings).load())
    except BadPickle:
        raise
    except Exception as error:  # a broken pickle may fail in any way
        raise BadPickle(f"{type(error).__name__}: {str(error) or 'it ends too early'}") from None


class _Unpickler(pickle._Unpickler):
    """Maps the few names that pickled arrays hold to stand-ins; NumPy itself never sees the file.

    It is the one that is written in Python: that in C makes room for as many objects as a pickle numbers, which a few
    bytes can say to be billions.
    """

    def find_class(self, module: str, name: str) -> Any:
        try:
            return ALLOWED[module.replace("numpy.core", "numpy._core"), name]
        except KeyError:
            told = f"refused: it names '{module}.{name}', and only plain values and arrays are read"
            raise BadPickle(told) from None

    def persistent_load(self, pid: Any) -> Any:
        raise BadPickle("refused: it holds a reference to another file")


class _Type:
    """Stands for a NumPy dtype while a pickle is read."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.dtype = np.dtype(_text(code))
        if self.dtype.kind not in "biufSU":
            raise BadPickle(f"refused: it holds an array of the type '{self.dtype}'")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = self.dtype.newbyteorder(_text(state[1]))  # type: ignore[arg-type]


class _Array:
    """Stands for a NumPy array while a pickle is read: nothing of NumPy runs but to interpret its bytes."""

    def __init__(self, shape: Any = (0,), dtype: Any = "u1", raw: Any = b"", order: Any = "C") -> None:
        self.shape, self.raw, self.order = shape, raw, _text(order)
        self.dtype = dtype if isinstance(dtype, _Type) else _Type(dtype)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        shape, dtype, fortran, raw = state[-4:]
        self.__init__(shape, dtype, raw, "F" if fortran else "C")  # type: ignore[misc]

    def array(self) -> np.ndarray:
        raw = _bytes(self.raw)
        if len(raw) != math.prod(self.shape) * self.dtype.dtype.itemsize:
            raise BadPickle(f"an array of the shape {self.shape} has {len(raw)} bytes")
        return np.frombuffer(raw, self.dtype.dtype).reshape(self.shape, order=self.order)  # type: ignore[call-overload]


class _Function:
    """Something that a pickle may call, and whose attributes it cannot set."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise BadPickle("refused: it sets attributes of a function")


class _Resolver:
    """Turns stand-ins into arrays, which are of the `kinds`; what occurs many times, once."""

    def __init__(self, kinds: str) -> None:
        self._kinds = kinds
        self._known: dict[int, Any] = {}

    def __call__(self, value: Any) -> Any:
        if not isinstance(value, _Array | dict | list):
            return value
        if id(value) not in self._known:
            self._known[id(value)] = self._resolved(value)
        return self._known[id(value)]

    def _resolved(self, value: _Array | dict[Any, Any] | list[Any]) -> Any:
        if isinstance(value, dict):
            return {key: self(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self(each) for each in value]
        array = value.array()
        if array.dtype.kind not in self._kinds:
            raise BadPickle(f"refused: it holds an array of the type '{array.dtype}'")
        return array


def _text(value: Any) -> str:
    """A name or code, which Python 2 wrote as bytes."""
    return value.decode("latin1") if isinstance(value, bytes) else value


def _bytes(raw: Any = b"", encoding: Any = "latin1") -> bytes:
    """Bytes, or text that stands for them: Latin 1 is how Python 2 and 3 read each other's."""
    if _text(encoding) != "latin1" or not isinstance(raw, bytes | bytearray | str):
        raise BadPickle(f"refused: it makes bytes of {type(raw).__name__} by '{_text(encoding)}'")
    return raw.encode("latin1") if isinstance(raw, str) else bytes(raw)


def _scalar(dtype: _Type, raw: Any) -> Any:
    return _Array((), dtype, raw).array().item()


def _frombuffer(raw: Any, dtype: _Type, shape: Any, order: str, *_: Any) -> _Array:
    return _Array(shape, dtype, raw, order)


FUNCTIONS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy._core.multiarray", "_reconstruct"): lambda *_: _Array(),
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy._core.numeric", "_frombuffer"): _frombuffer,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _bytes,
}
FUNCTIONS |= {(module, name): _bytes for module in ("builtins", "__builtin__") for name in ("bytes", "bytearray")}
ALLOWED: dict[tuple[str, str], Any] = {name: _Function(call) for name, call in FUNCTIONS.items()}
ALLOWED |= {("collections", "OrderedDict"): collections.OrderedDict}
PLAIN = (set, frozenset, complex)
ALLOWED |= {(module, kind.__name__): kind for module in ("builtins", "__builtin__") for kind in PLAIN}
