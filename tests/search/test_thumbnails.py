"""Thumbnails: from the pictures as they came, upright, padded with their own border's colour, made once."""

import logging
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from kith.data import images
from kith.data.images import UndecodableImage
from kith.errors import UnanswerableError
from kith.search import thumbnails
from kith.search.shown import ShownItems
from kith.search.thumbnails import Thumbnails, without_black_bars
from kith.store.prepared import Prepared
from stages import fetch, prepare
from tests import made_search
from tests.made_params import write_params
from tests.made_photos import encode, open_bytes
from tests.made_products import write_products
from tests.stages.test_prepare import REST


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def prepared(folder, pictures: list[bytes], **image: object) -> ShownItems:
    table = write_products(folder / "products.parquet", len(pictures))
    table.assign(photo=pictures).to_parquet(folder / "products.parquet")
    columns = {"id": "sku", "image": "photo", "texts": ["title"], "split": "part"}
    fetching = {"source": "table", "path": "products.parquet", "columns": columns}
    write_params({**REST, "fetch": fetching, "prepare": {"image": {"size": 32, **image}, "val": 0}})
    fetch.main(out=folder / "data/raw")
    prepare.main(raw=folder / "data/raw", out=folder / "data/prepared")
    return ShownItems(Prepared(folder / "data/prepared"))


def plain(colour: tuple[int, int, int], size=(60, 30), inner=(0, 0, 0), **options) -> bytes:
    """A picture of a colour with another one in its middle."""
    picture = Image.new("RGB", size, colour)
    picture.paste(inner, (size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2))
    return encode(picture, "PNG", **options)


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(open_bytes(data).convert("RGB")).astype(int)


GREEN, PINK = (30, 160, 60), (240, 180, 190)


@pytest.mark.parametrize("image", [{"shown": 256}, {"store": "photos"}], ids=["shown", "photos"])
def test_bars_have_the_colour_of_the_border(folder, image):
    items = prepared(folder, [plain(GREEN), plain(PINK, (20, 90)), plain(GREEN, (50, 50)), plain(PINK)], **image)
    kept = Thumbnails(items, folder / "t.sqlite")
    for row, colour in enumerate((GREEN, PINK, GREEN, PINK)):
        found = pixels(kept.of(row))
        assert found.shape == (320, 320, 3)
        corners = found[[0, 0, -1, -1], [0, -1, 0, -1]]
        assert np.abs(corners - colour).max() <= 6  # JPEG is not exact


def test_black_bars_of_an_array_get_the_colour_too(folder):
    items = prepared(folder, [plain(GREEN), plain(PINK, (20, 90)), plain(GREEN, (50, 50)), plain(PINK)])
    assert items.has_black_bars
    kept = Thumbnails(items, None)
    for row, colour in enumerate((GREEN, PINK)):
        found = pixels(kept.of(row))
        assert found.shape == (32, 32, 3)  # as small as it is kept
        assert np.abs(found[[0, 0, -1, -1], [0, -1, 0, -1]] - colour).max() <= 2
        assert items.pixels(row)[0, 0].tolist() == [0, 0, 0]


def test_bars_that_are_part_of_the_picture_stay():
    dark = np.zeros((8, 8, 1), np.uint8)
    dark[3:5, 3:5] = 255  # dark all around, as characters on black are
    assert (without_black_bars(dark) == dark).all()
    above = np.full((8, 8, 3), 90, np.uint8)
    above[:3] = 0  # above alone
    assert (without_black_bars(above) == above).all()
    assert (without_black_bars(np.zeros((4, 4, 3), np.uint8)) == 0).all()


def test_pictures_are_upright(folder):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter to the right
    turned = Image.new("RGB", (60, 30), GREEN)
    turned.paste(PINK, (0, 0, 30, 30))  # left; upright: above
    items = prepared(folder, [encode(turned, "JPEG", exif=exif, quality=95), *[plain(GREEN)] * 3], shown=256)
    whole, small = pixels(items.picture(0)), pixels(Thumbnails(items, None).of(0))
    assert whole.shape == (60, 30, 3)
    for found in (whole, small):
        middle = found.shape[1] // 2
        assert np.abs(found[5, middle] - PINK).max() < 12
        assert np.abs(found[-6, middle] - GREEN).max() < 12


def test_a_thumbnail_is_made_once_and_kept(folder, monkeypatch):
    items = prepared(folder, [plain(GREEN)] * 4, shown=256)
    path = folder / "t.sqlite"
    first = Thumbnails(items, path).of(0)
    with monkeypatch.context() as patch:
        patch.setattr(thumbnails, "decode", None)
        assert Thumbnails(items, path).of(0) == first
    path.write_bytes(b"no database at all, but longer than a header of one would be" * 20)
    assert Thumbnails(items, path).of(0) == first
    items.data.checksum = "other data"
    with monkeypatch.context() as patch:
        patch.setattr(thumbnails, "decode", lambda *_: np.zeros((4, 4, 3), np.uint8))
        assert Thumbnails(items, path).of(0) != first


def test_two_servers_over_newer_and_older_data_share_no_picture(folder):
    prepared(folder, [plain(GREEN), plain(PINK)] * 2, shown=256)
    path = folder / "t.sqlite"
    (folder / "data").rename(folder / "older")
    older = Thumbnails(ShownItems(Prepared(folder / "older/prepared")), path)
    green, pink = older.of(0), older.of(1)
    newer_items = prepared(folder, [plain(PINK), plain(GREEN)] * 2, shown=256)
    newer = Thumbnails(newer_items, path)
    assert newer.of(0) == pink
    assert older.of(0) == green  # not what the newer one put at this place
    assert older.of(1) == pink
    assert newer.of(1) == green


def test_where_nothing_can_be_written_they_are_kept_in_memory(folder, caplog, monkeypatch):
    items = prepared(folder, [plain(GREEN), plain(PINK)] * 2, shown=256)
    with caplog.at_level(logging.WARNING):
        kept = Thumbnails(items, folder / "no folder" / "t.sqlite")
    assert "thumbnails are kept in memory alone" in caplog.text
    first = kept.of(0)
    monkeypatch.setattr(thumbnails, "decode", None)
    assert kept.of(0) == first


def test_the_file_does_not_grow_for_ever(folder, monkeypatch):
    items = prepared(folder, [plain((10 * i, 0, 0)) for i in range(8)], shown=256)
    monkeypatch.setattr(thumbnails, "MOST", 6000)
    path = folder / "t.sqlite"
    kept = Thumbnails(items, path)
    found = [kept.of(row) for row in range(8)]
    assert sum(map(len, found)) > 6000
    with sqlite3.connect(path) as database:
        (size,) = database.execute("SELECT SUM(LENGTH(data)) FROM thumbnails").fetchone()
    assert 0 < size <= 6000
    assert [kept.of(row) for row in range(8)] == found


def test_items_without_a_picture_are_told(tmp_path):
    made_search.make_data(tmp_path, features=True)
    kept = Thumbnails(ShownItems(Prepared(tmp_path / "data/made/prepared")), None)
    for row in (0, -1, 48):
        with pytest.raises(UnanswerableError, match="has no picture"):
            kept.of(row)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_few_pictures_are_decoded_at_once_and_none_of_too_many_pixels(folder, monkeypatch):
    """A page asks for all of its pictures together."""
    items = prepared(folder, [plain((i, 90, 60)) for i in range(12)], store="photos")
    kept, now, most, lock = Thumbnails(items, None), [], [], threading.Lock()

    def decode(*given):
        with lock:
            now.append(1)
            most.append(len(now))
        time.sleep(0.01)
        with lock:
            now.pop()
        return images.decode(*given)

    monkeypatch.setattr(thumbnails, "decode", decode)
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(kept.of, range(12)))) == 12
    assert max(most) == thumbnails.AT_ONCE
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UndecodableImage, match="60×30 pixels, more than the limit of 1,000"):
        Thumbnails(items, None).of(0)
