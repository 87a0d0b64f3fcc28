"""Pickles of class embeddings: what NumPy of any age writes is read, and nothing that a pickle calls is run."""

import collections
import io
import pickle
import resource
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from kith.class_embedding import pickles as reference_pickle
from kith.errors import KithError
from kith.unpickle import load

ROWS = np.random.default_rng(0).normal(size=(3, 2))


def content(embedding=ROWS, labels=(5, 3, 9), index=None) -> dict:
    index = {label: row for row, label in enumerate(labels)} if index is None else index
    return {"embedding": embedding, "ind2label": list(labels), "label2ind": index}


def save(path: Path, data: bytes) -> Path:
    path = path / "classes.pickle"
    path.write_bytes(data)
    return path


class Python2(pickle._Pickler):
    """Writes bytes and text as Python 2 wrote its strings."""

    dispatch = dict(pickle._Pickler.dispatch)  # noqa: RUF012

    def _string(self, value):
        data = value.encode("latin1") if isinstance(value, str) else value
        self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)
        self.memoize(value)

    dispatch[bytes] = dispatch[str] = _string


def python2(value) -> bytes:
    buffer = io.BytesIO()
    Python2(buffer, 2).dump(value)
    return buffer.getvalue().replace(b"numpy._core", b"numpy.core")


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "embedding",
    [ROWS, np.asfortranarray(ROWS), ROWS.astype(">f8"), ROWS.astype(np.float32), np.repeat(ROWS, 2, axis=1)[:, ::2]],
    ids=["C", "Fortran", "big-endian", "float32", "strided"],
)
@pytest.mark.parametrize("labels", [(5, 3, 9), ("n01", "n02", "ü"), (np.int64(5), np.int64(3), np.str_("a"))])
def test_pickles_of_python_3(tmp_path, protocol, embedding, labels):
    data = pickle.dumps(content(embedding, labels), protocol)
    for form in (data, data.replace(b"numpy._core", b"numpy.core")) if protocol < 4 else (data,):
        found = reference_pickle.read(save(tmp_path, form))
        np.testing.assert_array_equal(found.embedding, embedding)
        assert found.embedding.dtype == np.float64
        assert found.embedding.flags.writeable
        assert found.labels == list(labels)
        assert {type(label) for label in found.labels} <= {int, str}


def test_modules_of_old_numpy(tmp_path):
    """Framed strings, so renamed where they are written."""
    buffer = pickle.dumps(content(), 4).replace(b"\x8c\x16numpy._core.multiarray", b"\x8c\x15numpy.core.multiarray")
    size = struct.pack("<Q", struct.unpack("<Q", buffer[3:11])[0] - 1)
    found = reference_pickle.read(save(tmp_path, buffer[:3] + size + buffer[11:]))
    np.testing.assert_array_equal(found.embedding, ROWS)


@pytest.mark.parametrize("labels", [(5, 3, 9), ("n01", "n02", "n03"), (np.int64(5), np.int64(3), np.int64(1))])
def test_pickles_of_python_2(tmp_path, labels):
    data = python2(content(labels=labels))
    assert b"U\x18" in data or b"T0\x00" in data
    found = reference_pickle.read(save(tmp_path, data))
    np.testing.assert_array_equal(found.embedding, ROWS)
    assert found.labels == list(labels)


@pytest.mark.parametrize("labels", [np.array([5, 3, 9]), np.array(["a", "bc", "d"]), (1, 2, 3)])
def test_labels_as_arrays_and_ordered_dicts(tmp_path, labels):
    index = collections.OrderedDict((label, row) for row, label in enumerate(np.asarray(labels).tolist()))
    data = {"embedding": ROWS, "ind2label": labels, "label2ind": index, "more": {1, 2}}
    assert reference_pickle.read(save(tmp_path, pickle.dumps(data))).labels == list(index)


@pytest.mark.parametrize("labels", [[5, 3, 9], ["a", "b", "ü"], np.array([7, 8, 1]), np.array(["x", "y", "z"])])
def test_written_and_read_back(tmp_path, labels):
    path = tmp_path / "classes.pickle"
    reference_pickle.write(path, ROWS.astype(np.float32), labels)
    found = reference_pickle.read(path)
    np.testing.assert_array_equal(found.embedding, ROWS.astype(np.float32))
    assert found.labels == list(labels)
    plain = pickle.loads(path.read_bytes())
    np.testing.assert_array_equal(plain["embedding"], found.embedding)
    assert plain["embedding"].dtype == np.float64
    assert plain["embedding"].flags.writeable
    assert plain["label2ind"] == {label: row for row, label in enumerate(plain["ind2label"])}
    assert b"_core" not in path.read_bytes()


class Calls:
    def __init__(self, *form):
        self.form = form

    def __reduce__(self):
        return self.form


def hostile(path: Path) -> dict[str, object]:
    code = f"open({str(path)!r}, 'w').close()"
    return {
        "eval": Calls(eval, (code,)),
        "exec": Calls(exec, (code,)),
        "open": Calls(open, (str(path), "w")),
        "system": Calls(__import__("os").system, (f"touch {path}",)),
        "getattr": Calls(getattr, (ROWS, "tofile")),
        "import": Calls(__import__, ("antigravity",)),
        "load": Calls(np.load, (str(path), None, True)),
        "tofile": Calls(np.ndarray.tofile, (ROWS, str(path))),
        "attribute": Calls(np.ndarray, (), {"dtype": 1}),
    }


@pytest.mark.parametrize("name", hostile(Path()))
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_nothing_is_run(tmp_path, name, protocol):
    there = tmp_path / "there"
    bad = hostile(there)[name]
    for data in (bad, {**content(), "more": bad}, content(labels=(bad, 1, 2), index={})):
        with pytest.raises(KithError, match=r"classes.pickle: "):
            reference_pickle.read(save(tmp_path, pickle.dumps(data, protocol)))
    assert not there.exists()
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"cos\nsystem\n(S'touch there'\ntR.", r"refused: it names 'os.system'"),
        (b"cposix\nsystem\n(S'touch there'\ntR.", r"refused: it names 'posix.system'"),
        (b"cnumpy\nndarray\n}S'_call'\nI1\nsb.", "refused: it sets attributes"),
        (b"c_codecs\nencode\n(S'eJw'\nS'zlib'\ntR.", "refused: it makes bytes of str by 'zlib'"),
        (b"c__builtin__\nbytearray\n(I99999999999\ntR.", "refused: it makes bytes of int"),
        (b"cnumpy\ndtype\n(S'O8'\ntR.", "refused: it holds an array of the type 'object'"),
        (b"", "cannot be read as a pickle: EOFError"),
        (b"not a pickle", "cannot be read as a pickle"),
        (pickle.dumps(content(), 2)[:-40], "cannot be read as a pickle"),
        (pickle.dumps([1]), "has no 'embedding', 'ind2label', 'label2ind'"),
        (pickle.dumps({"embedding": ROWS}), "has no 'ind2label', 'label2ind'"),
        (pickle.dumps(content(embedding=ROWS[0])), r"embedding: expected an \(n, d\) array"),
        (pickle.dumps(content(embedding=ROWS.tolist())), r"embedding: expected an \(n, d\) array"),
        (pickle.dumps(content(labels=(1, 2))), "ind2label: expected a list of 3 labels"),
        (pickle.dumps(content(labels=(1, 2, 0.5))), "ind2label: 0.5 is neither"),
        (pickle.dumps(content(labels=(1, 2, 2))), "label2ind: does not lead"),
        (pickle.dumps(content(index={5: 0, 3: 2, 9: 1})), "label2ind: does not lead"),
        (pickle.dumps(content(), 4).replace(b"K\x03K\x02\x86", b"K\x04K\x02\x86"), "an array of the shape"),
    ],
)
def test_pickles_that_are_wrong(tmp_path, monkeypatch, data, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KithError, match=message):
        reference_pickle.read(save(tmp_path, data))
    assert not Path("there").exists()


def test_a_few_bytes_do_not_ask_for_gigabytes(tmp_path):
    """A number of an object beyond all that there are; and lists of lists of lists of one list."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert load(io.BytesIO(b"\x80\x02Nr\xff\xff\xff\x7f.")) is None
    nested: list = [1]
    for _ in range(60):
        nested = [nested] * 10
    found = load(io.BytesIO(pickle.dumps(nested)))
    assert len(found) == 10
    assert found[0] is found[9]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


def test_no_file_and_labels_that_do_not_fit(tmp_path):
    with pytest.raises(KithError, match="no such file"):
        reference_pickle.read(tmp_path / "none.pickle")
    for labels, message in [([1, 2], "3 labels"), ([1, 2, 2], "repeated")]:
        with pytest.raises(KithError, match=message):
            reference_pickle.write(tmp_path / "out.pickle", ROWS, labels)
    assert not (tmp_path / "out.pickle").exists()
