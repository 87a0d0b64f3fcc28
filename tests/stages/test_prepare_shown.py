"""What prepare keeps for people alone: other columns, and pictures as they came beside an array of small ones."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kith.errors import KithError
from kith.store.extras import columns_of, originals_of
from kith.store.prepared import Prepared
from stages import fetch, prepare
from tests.made_notes import seal_data
from tests.made_params import write_params
from tests.made_photos import open_bytes
from tests.made_products import SIZES, write_products
from tests.stages.test_prepare import OUT, RAW, REST

COLUMNS = {
    **{"id": "sku", "image": "photo", "texts": ["title"], "split": "part"},
    "categories": ["level1", "level2"],
}
EXTRAS = ["colour", "price", "tags"]


@pytest.fixture(autouse=True)
def table(tmp_path, monkeypatch) -> pd.DataFrame:
    monkeypatch.chdir(tmp_path)
    return write_products(tmp_path / "products.parquet")


def run(extras: list[str], **image: object) -> Prepared:
    columns = COLUMNS | ({"extras": extras} if extras else {})
    fetching = {"source": "table", "path": "products.parquet", "columns": columns}
    write_params({**REST, "fetch": fetching, "prepare": {"image": {"size": 16, **image}, "val": 0}})
    fetch.main(out=RAW)
    prepare.main(raw=RAW, out=OUT)
    return Prepared(OUT)


def test_other_columns_are_kept_in_a_file_of_their_own(table):
    plain = run([])
    before = {path.name: path.read_bytes() for path in OUT.iterdir()}
    assert "extras.parquet" not in before
    assert columns_of(plain).shape == (40, 0)
    data = run(EXTRAS)
    assert {name: (OUT / name).read_bytes() for name in before if name != "dataset.json"} == {
        name: content for name, content in before.items() if name != "dataset.json"
    }
    found = columns_of(data)
    assert list(found) == EXTRAS
    assert list(data.table["id"]) == list(table["sku"])
    assert found.iloc[3].to_dict() == {"colour": "red", "price": "12.5", "tags": "new, t3"}
    assert found["colour"][2] == ""  # empty in the table


def test_rows_that_are_left_out_have_no_columns_either(table):
    table.loc[5, "photo"] = b"junk"
    table.to_parquet("products.parquet")
    columns = COLUMNS | {"extras": ["price"]}
    fetching = {"source": "table", "path": "products.parquet", "columns": columns}
    preparing = {"image": {"size": 16}, "val": 0, "skip": ["undecodable_image"]}
    write_params({**REST, "fetch": fetching, "prepare": preparing})
    fetch.main(out=RAW)
    prepare.main(raw=RAW, out=OUT)
    data = Prepared(OUT)
    assert len(data) == 39
    expected = table.set_index("sku")["price"].map(lambda value: str(value).removesuffix(".0"))
    assert list(columns_of(data)["price"]) == list(expected[data.table["id"]])


def test_columns_of_other_items_are_refused():
    data = run(EXTRAS)
    pd.read_parquet(OUT / "extras.parquet").iloc[::-1].to_parquet(OUT / "extras.parquet")
    with pytest.raises(KithError, match=r"extras\.parquet: is not the file that dataset\.json describes"):
        columns_of(data)
    seal_data(OUT)
    with pytest.raises(KithError, match=r"extras\.parquet: is of other items than items\.parquet"):
        columns_of(Prepared(OUT))


def test_columns_that_are_not_there_or_hold_pictures_are_told():
    with pytest.raises(KithError, match=r"no column 'colr' \(fetch\.columns\.extras\).*did you mean 'colour'"):
        run(["colr"])
    with pytest.raises(KithError, match=r"row 0: photo: holds bytes; fetch\.columns\.extras takes texts"):
        run(["photo"])


def test_pictures_are_kept_as_they_came_beside_the_array(table):
    plain = run([])
    assert originals_of(plain) is None
    before = (OUT / "images.npy").read_bytes()
    data = run([], shown=64)
    assert (OUT / "images.npy").read_bytes() == before
    described = json.loads((OUT / "dataset.json").read_text())
    assert (described["shown"], "store" in described) == ({"short_side": 64}, False)
    photos = originals_of(data)
    assert photos is not None
    for row in (0, 1, 2, 3, 17):
        place = int(data.table["image_row"][row])
        assert photos.encoded(place) == table["photo"][row]  # small JPEGs stay as they are
        assert open_bytes(photos.encoded(place)).size == SIZES[row % 4]


def test_the_shown_picture_of_a_repeated_one_is_the_same(table):
    table.loc[7, "photo"] = table.loc[3, "photo"]
    table.loc[7, "part"] = table.loc[3, "part"]
    table.to_parquet("products.parquet")
    data = run([], shown=64)
    photos, places = originals_of(data), data.table["image_row"].to_numpy()
    assert photos is not None
    assert places[7] == places[3]
    assert len(photos) == len(np.unique(places)) == 39
    assert photos.encoded(int(places[8])) == table["photo"][8]


def test_photographs_are_shown_as_they_are_stored():
    with pytest.raises(KithError, match="shown is for arrays"):
        run([], shown=64, store="photos")


def test_pictures_of_another_array_are_refused(tmp_path):
    data = run([], shown=64)
    np.save(OUT / "images-index.npy", np.load(OUT / "images-index.npy")[:-1])
    seal_data(OUT)
    with pytest.raises(KithError, match=r"images-index\.npy: is of other pictures than images\.npy"):
        originals_of(Prepared(OUT))
    assert len(data) == 40
    assert Path(OUT).exists()
