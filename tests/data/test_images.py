"""Decoding pictures: modes, orientation, fits, broken data, and the file they are stored in."""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kith.data.images import UndecodableImage, decode
from kith.data.loader import Loader, Unusable
from kith.data.store import ImageWriter, moments


def encode(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
def test_a_square_of_the_right_size_is_unchanged(fit):
    pixels = noise(16, 16, 3)
    decoded = decode(encode(Image.fromarray(pixels)), 16, "RGB", fit)
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, pixels)
    np.testing.assert_array_equal(decode(encode(Image.fromarray(pixels[..., 0])), 16, "L", fit), pixels[..., :1])


def test_fits_of_a_wide_picture():
    """Left half red, right half blue, twice as wide as high."""
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, :16, 0] = pixels[:, 16:, 2] = 255
    data = encode(Image.fromarray(pixels))
    pad, crop, stretch = (decode(data, 16, "RGB", fit) for fit in ("pad", "crop", "stretch"))
    assert not pad[:4].any()
    assert not pad[12:].any()
    assert pad[4:12].any(axis=2).all()
    for whole in (crop, stretch):
        assert (whole[:, 2] == [255, 0, 0]).all()
        assert (whole[:, 13] == [0, 0, 255]).all()


@settings(max_examples=60)
@given(
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    size=st.integers(1, 40),
    fit=st.sampled_from(["pad", "crop", "stretch"]),
    kind=st.sampled_from(["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"]),
    mode=st.sampled_from(["L", "RGB"]),
)
def test_any_shape_and_format_gives_a_square(width, height, size, fit, kind, mode):
    data = encode(Image.new("RGB", (width, height), (200, 200, 200)), kind)
    decoded = decode(data, size, mode, fit)
    assert decoded.shape == (size, size, 1 if mode == "L" else 3)
    if fit != "pad":
        assert np.abs(decoded.astype(int) - 200).max() <= 3


def test_a_line_is_padded_to_a_line():
    decoded = decode(encode(Image.new("L", (1000, 1), 255)), 8, "L", "pad")
    assert (decoded.sum(axis=(1, 2)) > 0).sum() == 1


def test_exif_orientation_is_applied():
    pixels = noise(8, 16, 3)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to see it upright
    data = encode(Image.fromarray(pixels), "PNG", exif=exif)
    np.testing.assert_array_equal(decode(data, 16)[:, 4:12], np.rot90(pixels, -1))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_laid_onto_white(mode):
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (4, 0, 8, 8))
    options = {}
    if mode == "P":
        image, options = Image.new("P", (8, 8), 0), {"transparency": 0}
        image.putpalette([0, 0, 0, 255, 0, 0])
        image.paste(1, (4, 0, 8, 8))
    decoded = decode(encode(image.convert(mode), **options), 8)
    assert (decoded[:, 0] == 255).all()
    assert decoded[0, 7, 1] < 128


def test_transparent_colour_of_a_grey_picture():
    data = encode(Image.new("L", (4, 4), 7), transparency=7)
    assert (decode(data, 4, "L") == 255).all()


def test_palette_cmyk_and_bilevel():
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    assert (decode(encode(red.convert("P")), 8)[0, 0] == [255, 0, 0]).all()
    assert np.abs(decode(encode(red.convert("CMYK"), "JPEG", quality=100), 8)[0, 0].astype(int) - [255, 0, 0]).max() < 4
    assert (decode(encode(Image.new("1", (8, 8), 1)), 8, "L") == 255).all()


def test_sixteen_bits_are_scaled_not_clipped():
    levels = np.random.default_rng(0).integers(0, 65536, (16, 16), dtype=np.uint16)
    expected = (levels >> 8).astype(np.uint8)
    for kind in ("PNG", "TIFF"):
        np.testing.assert_array_equal(decode(encode(Image.fromarray(levels), kind), 16, "L")[..., 0], expected)


def test_float_pictures():
    unit = np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)
    for values in (unit, unit * 255):
        decoded = decode(encode(Image.fromarray(values), "TIFF"), 4, "L")[..., 0]
        assert np.abs(decoded - unit * 255).max() <= 1


def test_strips_are_refused_by_their_head():
    with pytest.raises(UndecodableImage, match="65501×1 pixels, and a side has at most 65,500; make it smaller"):
        decode(encode(Image.new("L", (65_501, 1))), 8)
    assert decode(encode(Image.new("L", (65_500, 1))), 8).shape == (8, 8, 3)


def test_first_frame_of_an_animation():
    frames = [Image.new("L", (4, 4), level) for level in (10, 200)]
    assert (decode(encode(frames[0], "GIF", save_all=True, append_images=frames[1:]), 4, "L") == 10).all()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF"])
def test_truncated_files_are_refused(kind):
    data = encode(Image.fromarray(noise(64, 64, 3)), kind)
    for keep in (len(data) // 2, 20):
        with pytest.raises(UndecodableImage):
            decode(data[:keep], 32)


@pytest.mark.parametrize(
    ("data", "message"), [(b"", "empty file"), (b"hello", "not a known image format"), (b"\x89PNG\r\n\x1a\n", ".")]
)
def test_what_is_no_picture_is_refused(data, message):
    with pytest.raises(UndecodableImage, match=message):
        decode(data, 8)


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=100)
@given(data=st.data())
def test_damaged_bytes_give_a_picture_or_a_clear_error(data):
    whole = bytearray(encode(Image.fromarray(noise(16, 16, 3)), data.draw(st.sampled_from(["PNG", "JPEG", "TIFF"]))))
    for _ in range(4):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(UndecodableImage):
        assert decode(bytes(whole), 8).shape == (8, 8, 3)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [10_000, 60_000])
def test_decompression_bombs_are_refused_without_being_decoded(side):
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    with pytest.raises(UndecodableImage, match="pixels"):
        decode(bomb, 8)


def test_loader_takes_bytes_paths_and_both(tmp_path):
    data = encode(Image.fromarray(noise(8, 8)))
    (tmp_path / "a.png").write_bytes(data)
    load = Loader(tmp_path, 8, "L", "pad")
    for cell in (
        data,
        "a.png",
        str(tmp_path / "a.png"),
        {"bytes": data, "path": None},
        {"bytes": None, "path": "a.png"},
    ):
        np.testing.assert_array_equal(load(cell), noise(8, 8)[..., None])
    kinds = {"": "missing_image", "b.png": "missing_image", ".": "missing_image", "a\0": "missing_image", 3: "image"}
    for cell, kind in [*kinds.items(), (None, "missing_image"), (b"x", "undecodable_image"), ({}, "missing_image")]:
        fault = load(cell)
        assert isinstance(fault, Unusable)
        assert fault.kind == kind


@pytest.mark.parametrize("count", [0, 1, 300])
def test_stored_pictures_are_those_of_numpy_and_none_is_stored_twice(tmp_path, count):
    pictures = np.arange(count * 12).reshape(count, 2, 2, 3).astype(np.uint8)
    with ImageWriter(tmp_path / "images.npy", 2, "RGB") as writer:
        rows = [writer.append(picture) for picture in pictures]
        assert [writer.append(picture) for picture in pictures] == rows
    stored = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert len(stored) == writer.count <= 64  # 12 i modulo 256 repeats after 64 pictures
    np.testing.assert_array_equal(stored[rows] if count else stored, pictures)
    np.save(tmp_path / "numpy.npy", stored)
    assert (tmp_path / "images.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()


def test_writer_refuses_another_shape(tmp_path):
    with ImageWriter(tmp_path / "images.npy", 2, "L") as writer, pytest.raises(ValueError, match="expected uint8"):
        writer.append(np.zeros((2, 2, 3), np.uint8))


def test_moments_are_mean_and_deviation():
    images = noise(1500, 32, 32, 3)
    rows = np.arange(0, 1500, 2)
    mean, std = moments(images, rows)
    np.testing.assert_allclose(mean, images[rows].mean(axis=(0, 1, 2)) / 255, rtol=1e-9)
    np.testing.assert_allclose(std, images[rows].std(axis=(0, 1, 2)) / 255, rtol=1e-9)
    assert moments(images, rows[:0]) == ([0.0] * 3, [1.0] * 3)
    images = images.copy()
    images[..., 1] = 77
    assert moments(images, rows)[1][1] == 1  # divided by it, a channel that is the same everywhere stays finite
