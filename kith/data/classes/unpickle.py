"""Reading pickles of plain values and of uint8 arrays, and nothing else: no code in the file is run."""

import pickle
from typing import IO, Any

import numpy as np


def load(file: IO[bytes]) -> Any:
    """The value in `file`: dicts, lists, numbers, bytes, strings, and NumPy arrays of uint8.

    Strings of Python 2 come as bytes. Raises pickle.UnpicklingError for anything else, before it is made, and
    whatever a broken stream makes the pickle machine raise.
    """
    return _plain(_Unpickler(file, encoding="bytes").load())


class _Unpickler(pickle.Unpickler):
    """Maps the few names that pickled arrays hold to stand-ins; NumPy itself never sees the file."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise pickle.UnpicklingError(f"holds {module}.{name}, and only plain values and arrays are read")
        return _STAND_INS[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("holds a reference to another file")


class _Dtype:
    def __init__(self, code: Any, *_: Any) -> None:
        if code not in ("u1", b"u1"):
            raise pickle.UnpicklingError(f"holds an array of {code!r}, and only bytes (u1) are read")

    def __setstate__(self, state: Any) -> None:
        """Byte order and alignment mean nothing for single bytes."""


class _Array:
    """What an array's pickle says of it, in the order of ndarray.__setstate__."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def array(self) -> np.ndarray:
        if not (isinstance(self.state, tuple) and len(self.state) == 5 and isinstance(self.state[2], _Dtype)):
            raise pickle.UnpicklingError("holds an array without its content")
        _, shape, _, fortran, data = self.state
        if not isinstance(data, bytes):
            raise pickle.UnpicklingError("holds an array whose content is not bytes")
        return np.frombuffer(data, dtype=np.uint8).reshape(shape, order="F" if fortran else "C")


def _encode(text: str, encoding: str) -> bytes:
    """Python 3 writes bytes so in the old protocols."""
    if encoding not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError(f"holds text encoded as {encoding!r}")
    return text.encode("latin1")


def _plain(value: Any) -> Any:
    """`value` with its stand-ins turned into arrays."""
    if isinstance(value, _Array):
        return value.array()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value


_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
}
