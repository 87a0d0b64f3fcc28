"""The sources of arrays: two views in, items and features out."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kith.data import arrays
from kith.data.arrays import Feature
from kith.data.sources.arrays import two_arrays
from kith.errors import KithError
from stages import fetch, prepare
from tests import made_arrays
from tests.made_params import write_params
from tests.stages.test_prepare import REST

RAW, OUT = Path("data/raw"), Path("data/prepared")
SHARES = {"val": 0.2, "test": 0.2, "seed": 0}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(source: str, path: Path, named: dict | None = None, **preparing) -> dict:
    """Fetch and prepare; what dataset.json says."""
    fetching = {"source": source, "path": path.as_posix()} | ({"arrays": named} if named else {})
    write_params({**REST, "fetch": fetching, "prepare": preparing})
    fetch.main(out=RAW)
    prepare.main(raw=RAW, out=OUT)
    return json.loads((OUT / "dataset.json").read_text())


def content(pairs: arrays.TwoViews, side: str) -> np.ndarray:
    return np.concatenate(list(pairs.features[side].blocks()))


def two(n: int = 20, **more) -> dict[str, np.ndarray]:
    first, second = made_arrays.correlated(n)
    return {"image": first, "text": second, **more}


@pytest.mark.parametrize("name", ["mine.npz", "mine"])
def test_two_arrays_are_enough(name):
    given = two()
    described = run("arrays", made_arrays.write(Path(name), given), val=0.2, test=0.2)
    items = pd.read_parquet(OUT / "items.parquet")
    assert items["id"].tolist() == [str(i) for i in range(20)]
    assert list(described["counts"]) == ["train", "val", "test"]
    assert sum(described["counts"].values()) == 20
    assert described["name"] == "mine"
    assert described["image"] is None
    for side in ("image", "text"):
        written = np.load(OUT / f"features_{side}.npy")
        assert written.dtype == np.float32
        np.testing.assert_array_equal(written, given[side])
        train = written[items["split"] == "train"].astype(np.float64)
        np.testing.assert_allclose(described["features"][side]["shift"], train.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(described["features"][side]["scale"], train.std(axis=0), rtol=1e-12)


def test_the_same_files_give_the_same_bytes():
    path = made_arrays.write(Path("mine.npz"), two())
    first = run("arrays", path)["checksums"]
    assert run("arrays", path)["checksums"] == first


def test_items_take_what_the_arrays_say():
    n = 12
    given = two(
        n,
        name=np.array([f"n{i}" for i in range(n)]),
        part=np.array(["train"] * 8 + ["val"] * 2 + ["test"] * 2),
        kind=np.array(["a", "b"] * 6),
        piece=np.arange(n) // 2,
        words=np.array([f"text {i}" for i in range(n)]),
    )
    names = {"id": "name", "split": "part", "label": "kind", "group": "piece", "texts": "words"}
    run("arrays", made_arrays.write(Path("mine.npz"), given), names)
    items = pd.read_parquet(OUT / "items.parquet")
    assert items["id"].tolist() == given["name"].tolist()
    assert items["split"].tolist() == given["part"].tolist()
    assert items["label_name"].tolist() == given["kind"].tolist()
    assert items["group"].tolist() == [str(i) for i in given["piece"]]
    assert [list(texts) for texts in items["texts"]] == [[words] for words in given["words"]]


def test_columns_of_a_parquet_table_are_arrays():
    given = two(10)
    maps = np.arange(10 * 3 * 4, dtype=np.float32).reshape(10, 3, 4)
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(given["image"].ravel()), 8)
    columns = {"vector": fixed, "map": pa.array(maps.tolist()), "id": [f"n{i}" for i in range(10)]}
    pq.write_table(pa.table(columns), "mine.parquet", row_group_size=4)
    pairs = two_arrays(Path("mine.parquet"), arrays={"image": "vector", "text": "map", "id": "id"}, **SHARES)
    np.testing.assert_array_equal(content(pairs, "image"), given["image"])
    np.testing.assert_array_equal(content(pairs, "text"), maps[:, None])
    assert pairs.dataset.items["id"][3].as_py() == "n3"


@pytest.mark.parametrize(
    ("lists", "told"), [([[1.0], [1.0, 2.0]], "lengths 1, 2"), ([[1.0], None], "lengths"), ([[1.0], [None]], "1 empty")]
)
def test_ragged_and_empty_cells_are_named(lists, told):
    pq.write_table(pa.table({"image": pa.array(lists), "text": pa.array([[1.0], [2.0]])}), "mine.parquet")
    with pytest.raises(KithError, match=rf"mine\.parquet: array 'image' cannot be read .*{told}"):
        two_arrays(Path("mine.parquet"), arrays={}, **SHARES)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"image": np.ones((4, 2))}, "no array 'text'; there are: image"),
        ({"image": np.ones((4, 2)), "text": np.ones((5, 2))}, "'image' 4 and 'text' 5 rows"),
        ({"image": np.ones((4, 2)), "text": np.ones(4)}, r"array 'text' is float64 \(4,\); a view is numbers"),
        ({"image": np.ones((4, 2)), "text": np.full((4, 2), "a")}, "array 'text' is <U1"),
        ({"image": np.ones((0, 2)), "text": np.ones((0, 2))}, r"array 'image' is float64 \(0, 2\)"),
    ],
)
def test_views_that_do_not_fit_are_named(given, told):
    with pytest.raises(KithError, match=rf"mine\.npz: .*{told}"):
        two_arrays(made_arrays.write(Path("mine.npz"), given), arrays={}, **SHARES)


def test_faults_of_items_name_the_array_and_the_row():
    given = two(6, name=np.array(["a", "b", "a", "c", "d", "e"]), part=np.array(["train"] * 5 + ["dev"]))
    path = made_arrays.write(Path("mine.npz"), given)
    with pytest.raises(KithError) as error:
        two_arrays(path, arrays={"id": "name", "split": "part"}, **SHARES)
    assert "row 2" in str(error.value)
    assert "name" in str(error.value)
    assert "dev" in str(error.value)
    with pytest.raises(KithError, match=r"array 'part' has the shape \(6,\), expected \(7,\)"):
        two_arrays(made_arrays.write(Path("more.npz"), two(7, part=given["part"])), arrays={"split": "part"}, **SHARES)


def test_values_that_are_not_finite_are_named():
    given = two()
    given["text"][13, 2] = np.nan
    path = made_arrays.write(Path("mine.npz"), given)
    with pytest.raises(KithError, match=r"mine\.npz: array 'text': row 13 is not finite"):
        run("arrays", path)
    assert not OUT.exists()


def test_files_that_are_no_arrays_are_named():
    Path("mine.npz").write_bytes(b"not a zip file")
    with pytest.raises(KithError, match=r"mine\.npz: cannot be read .*expected an \.npz file"):
        two_arrays(Path("mine.npz"), arrays={}, **SHARES)
    np.savez("objects.npz", image=np.array([{}], dtype=object), text=np.ones((1, 2)))
    with pytest.raises(KithError, match=r"objects\.npz: array 'image' cannot be read"):
        two_arrays(Path("objects.npz"), arrays={}, **SHARES)
    with pytest.raises(KithError, match=r"nowhere\.npz: no such file or folder"):
        run("arrays", Path("nowhere.npz"))


def test_arrays_that_changed_after_fetch_are_refused():
    path = made_arrays.write(Path("mine"), two())
    run("arrays", path)
    np.save(path / "text.npy", np.ones((20, 6)))
    with pytest.raises(KithError, match="is not what the fetch stage saw"):
        prepare.main(raw=RAW, out=OUT)


def test_a_source_takes_only_its_own_keys():
    path = made_arrays.write(Path("mine.npz"), two())
    with pytest.raises(KithError, match="the source audio_score does not take arrays"):
        run("audio_score", path, {"image": "X"})


def test_iapr_tc12_is_split_as_published():
    described = run("iapr_tc12", made_arrays.iapr_tc12(Path("iapr_tc12.npz")), features={"image": "max", "text": "max"})
    assert described["name"] == "iapr_tc12"
    assert described["counts"] == {"train": 17_000, "val": 1000, "test": 2000}
    assert described["groups"]["train"] == 16_996
    items = pd.read_parquet(OUT / "items.parquet")
    order = np.random.RandomState(23).permutation(19_996)
    assert items["id"][:1000].tolist() == [str(row) for row in order[:1000]]
    assert items["split"][1000:3000].eq("test").all()
    assert items["id"][19_996:].tolist() == [f"{row}-again" for row in order[3000:3004]]
    images = np.load("iapr_tc12.npz")["images"]
    written = np.load(OUT / "features_image.npy")
    np.testing.assert_array_equal(written[:19_996], images[order])
    np.testing.assert_array_equal(written[19_996:], images[order[3000:3004]])
    # The largest value of the training split: the reference takes that of all, test included.
    assert described["features"]["image"]["scale"] == pytest.approx(np.abs(written[3000:]).max())
    assert described["features"]["image"]["shift"] == 0


def test_too_few_rows_for_the_published_split():
    first, second = made_arrays.correlated(100)
    path = made_arrays.write(Path("iapr_tc12.npz"), {"images": first, "tfidf": second})
    with pytest.raises(KithError, match=r"'images' has 100 rows, the published split needs 19,996"):
        run("iapr_tc12", path)


@pytest.mark.parametrize("name", ["pairs.npz", "pairs"])
def test_audio_score_keeps_the_splits_of_its_files(name):
    path = made_arrays.audio_score(Path(name))
    described = run("audio_score", path, features={"image": "max", "text": "none"})
    assert described["counts"] == {"train": 60, "val": 20, "test": 20}
    assert described["features"]["image"] == {"shape": [1, 40, 50], "shift": 0, "scale": 255}
    assert described["features"]["text"] == {"shape": [1, 92, 42], "shift": 0, "scale": 1}
    items = pd.read_parquet(OUT / "items.parquet")
    assert items["id"].tolist()[58:62] == ["tr-58", "tr-59", "va-0", "va-1"]
    loaded = arrays.Arrays(path)
    np.testing.assert_array_equal(np.load(OUT / "features_text.npy")[60:80, 0], loaded["Y_va"])


def test_audio_score_of_unequal_parts():
    made_arrays.audio_score(Path("pairs"))
    np.save("pairs/Y_va.npy", np.ones((19, 92, 42)))
    with pytest.raises(KithError, match="'X_va' 20 and 'Y_va' 19 rows"):
        run("audio_score", Path("pairs"))
    np.save("pairs/Y_va.npy", np.ones((20, 92, 40)))
    with pytest.raises(KithError, match="'Y_va' has rows of another shape than 'Y_tr'"):
        run("audio_score", Path("pairs"))


@given(hnp.arrays(np.float32, st.tuples(st.integers(2, 9), st.integers(1, 4)), elements=st.floats(-1e3, 1e3, width=32)))
def test_standard_scaling_gives_mean_zero_and_deviation_one(array):
    made = arrays.scaling(array, np.arange(len(array)), "standard")
    scaled = (array.astype(np.float64) - made["shift"]) / made["scale"]
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-6)
    deviation = array.astype(np.float64).std(axis=0)
    np.testing.assert_allclose(scaled.std(axis=0)[deviation > 1e-9], 1, rtol=1e-6)


def test_blocks_are_of_rows_in_order(monkeypatch):
    monkeypatch.setattr(arrays, "BLOCK", 10)
    array = np.arange(28, dtype=np.float64).reshape(7, 4)
    feature = Feature([("a", array, np.array([3, 1, 2])), ("b", array, np.array([0]))])
    assert [len(block) for block in feature.blocks()] == [2, 1, 1]
    np.testing.assert_array_equal(np.concatenate(list(feature.blocks())), array[[3, 1, 2, 0]])
    made = arrays.scaling(array, np.arange(7), "standard")
    np.testing.assert_allclose(made["shift"], array.mean(axis=0))
    np.testing.assert_allclose(made["scale"], array.std(axis=0))
