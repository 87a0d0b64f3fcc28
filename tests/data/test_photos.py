"""The store of photographs as it is written: what is kept of a picture, shards, the index, and what is refused."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kith.data import photos
from kith.data.images import UndecodableImage, decode, decode_part
from kith.data.loader import Unusable
from kith.data.photos import PhotoWriter, stored
from kith.data.shards import INDEX, places
from tests.made_photos import encode, jpeg, open_bytes, photograph

TURNED = Image.Exif()
TURNED[0x0112] = 6  # the camera was held upright


@pytest.mark.parametrize(
    "data",
    [
        jpeg(64, 48),
        jpeg(48, 200, progressive=True),
        encode(photograph(64, 48, mode="L")),
        encode(photograph(64, 48), "PNG"),
        encode(photograph(64, 48, mode="L"), "PNG"),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_what_is_small_and_upright_is_kept_as_it_is(data, mode):
    assert stored(data, 48, mode) == data


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (500, 49)])
def test_what_is_larger_becomes_a_jpeg_of_that_short_side(size):
    image = photograph(*size)
    kept = open_bytes(stored(encode(image, quality=100), 48, "RGB"))
    assert (kept.format, min(kept.size)) == ("JPEG", 48)
    assert max(kept.size) == round(max(size) * 48 / min(size))
    expected = np.asarray(image.resize(kept.size, Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(np.asarray(kept) - expected).mean() < 2


def test_a_turned_photograph_is_stored_upright():
    image = photograph(40, 30)
    kept = open_bytes(stored(encode(image, quality=100, exif=TURNED), 30, "RGB"))
    assert (kept.format, kept.size, kept.getexif().get(0x0112)) == ("JPEG", (30, 40), None)
    upright = np.asarray(image.transpose(Image.Transpose.ROTATE_270)).astype(int)
    assert np.abs(np.asarray(kept) - upright).mean() < 8


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (photograph(20, 30), "BMP"),
        (photograph(20, 30), "TIFF"),
        (photograph(20, 30, mode="P"), "PNG"),
        (photograph(20, 30, mode="L"), "GIF"),
        (Image.fromarray((np.arange(600).reshape(30, 20) * 100).astype(np.uint16)), "PNG"),
        (Image.new("RGBA", (20, 30), (200, 0, 0, 100)), "PNG"),
        (photograph(20, 30), "WEBP"),
    ],
)
def test_small_pictures_of_other_kinds_lose_nothing(image, kind):
    data = encode(image, kind, **({"lossless": True} if kind == "WEBP" else {}))
    kept = stored(data, 48, "RGB")
    assert open_bytes(kept).format == "PNG"
    np.testing.assert_array_equal(decode(kept, 30), decode(data, 30))


def test_large_pictures_that_were_no_jpeg_become_one():
    assert open_bytes(stored(encode(photograph(400, 300), "PNG"), 300, "RGB")).format == "JPEG"
    assert open_bytes(stored(encode(photograph(400, 300), "PNG"), 200, "L")).mode == "L"
    assert open_bytes(stored(encode(photograph(65_000, 2), "PNG"), 300, "RGB")).size == (65_000, 2)


def test_inks_become_colours():
    assert open_bytes(stored(encode(photograph(40, 30, mode="CMYK")), 64, "RGB")).mode == "RGB"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
def test_broken_pictures_are_refused(kind):
    data = encode(photograph(200, 150), kind)
    for broken in (data[: len(data) // 2], b"", b"no picture"):
        with pytest.raises(UndecodableImage):
            stored(broken, 512, "RGB")


@given(st.data())
def test_a_damaged_picture_is_kept_only_where_it_can_be_decoded(data):
    whole = bytearray(jpeg(30, 20))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        kept = stored(bytes(whole), 64, "RGB")
    except UndecodableImage:
        return
    assert decode(kept, 8).shape == (8, 8, 3)


def write(folder, pictures, **options) -> list[int]:
    folder.mkdir()
    with PhotoWriter(folder, 16, "RGB", 64, **options) as writer:
        return [writer.append(picture) for picture in pictures]


def test_pictures_lie_where_the_index_says_and_none_is_stored_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(photos, "BATCH", 3000)
    pictures = [jpeg(seed=seed) for seed in range(40)]
    rows = write(tmp_path / "a", pictures + pictures[::-1], shard=9000)
    assert rows == [*range(40), *reversed(range(40))]
    index, shards = np.load(tmp_path / "a" / INDEX), sorted((tmp_path / "a").glob("*.arrow"))
    assert len(shards) == index["shard"].max() + 1 > 2
    for picture, place in zip(pictures, index, strict=True):
        content = shards[place["shard"]].read_bytes()
        assert content[place["offset"] : place["offset"] + place["bytes"]] == picture
    for shard in shards:
        assert shard.stat().st_size < 9000 + 3000 + 4000  # a shard, a batch too many, and what Arrow adds
    tables = [pa.ipc.open_file(shard.read_bytes()).read_all() for shard in shards]
    assert pa.concat_tables(tables)["image"].to_pylist() == pictures
    assert [length for shard in shards for _, length in places(shard)] == index["bytes"].tolist()


def test_the_same_pictures_give_the_same_files(tmp_path):
    pictures = [jpeg(seed=seed) for seed in range(9)] + [np.asarray(photograph(16, 16))]
    for name in ("a", "b"):
        write(tmp_path / name, pictures, shard=4000)
    files = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("a", "b")]
    assert files[0] == files[1]
    assert len(files[0]) > 2


def test_drawn_pictures_are_stored_without_loss(tmp_path):
    write(tmp_path / "a", [np.full((16, 16, 1), 7, np.uint8), np.full((16, 16, 3), 9, np.uint8)])
    (first, length), (second, _) = places(tmp_path / "a" / "images-00000.arrow")
    content = (tmp_path / "a" / "images-00000.arrow").read_bytes()
    assert decode(content[first : first + length], 16)[0, 0].tolist() == [7, 7, 7]
    assert decode(content[second:], 16)[0, 0].tolist() == [9, 9, 9]


def test_without_pictures_there_is_an_empty_index(tmp_path):
    assert write(tmp_path / "a", []) == []
    assert len(np.load(tmp_path / "a" / INDEX)) == 0


def test_a_writer_that_is_cut_off_leaves_no_index(tmp_path):
    with pytest.raises(RuntimeError), PhotoWriter(tmp_path, 16, "RGB", 64, shard=10) as writer:
        for seed in range(3):
            writer.append(jpeg(seed=seed))
        raise RuntimeError
    assert list(tmp_path.glob("*.arrow"))
    assert not (tmp_path / INDEX).exists()


def test_the_loader_brings_bytes_paths_and_colours(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg(400, 300))
    load = PhotoWriter(tmp_path, 16, "RGB", 64).loader(tmp_path, "pad")
    assert open_bytes(load("a.jpg")).size == (85, 64)
    assert load(jpeg(400, 300)) == load({"path": "a.jpg"})
    np.testing.assert_array_equal(open_bytes(load(np.asarray(photograph(9, 9)))), photograph(9, 9))
    assert isinstance(load("b.jpg"), Unusable)
    assert load(b"x") == Unusable("undecodable_image", "cannot be decoded (not a known image format)")


@pytest.mark.parametrize("side", [8, 50, 120])
def test_a_part_of_a_picture_is_what_cutting_it_out_gives(side):
    image = photograph(400, 300)
    box = (100, 50, 220, 170)
    found = decode_part(encode(image, quality=100), side, lambda width, height: box)
    expected = np.asarray(image.resize((side, side), Image.Resampling.BICUBIC, box=box)).astype(int)
    assert np.abs(found - expected).mean() < 2


def test_a_part_is_asked_for_with_the_size_of_the_picture():
    asked = []

    def middle(width, height):
        asked.append((width, height))
        return (0.5, 0.5, width - 0.5, height - 0.5)

    assert decode_part(jpeg(400, 300), 10, middle, "L").shape == (10, 10, 1)
    assert asked == [(400, 300)]
