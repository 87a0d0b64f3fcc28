"""Greys of more than 8 bits, floats, and the colour of bars: what is chosen reaches everything that decodes."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kith.data.check import check
from kith.data.depths import Conversion, Depths, decoded
from kith.data.images import decode
from kith.data.photos import stored
from kith.data.rows import Columns
from kith.inference.raw import RawInputs
from kith.text.tokens import Vocabulary
from kith.training.architecture import image_side
from stages import params

RAMP = np.linspace(0, 1, 64).reshape(8, 8)


def encode(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def grey(data: bytes, **choices) -> np.ndarray:
    return decode(data, 8, "L", choices=Conversion(**choices))[..., 0].astype(int)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_whole_numbers_of_every_depth(bits, kind):
    data = encode((RAMP * (2**bits - 1)).round().astype(np.uint16), kind)
    assert np.abs(grey(data, bits=bits) - RAMP * 255).max() <= 1
    depths = Depths()
    dark = grey(data, seen=depths)
    assert depths.likely == (None if bits == 16 else bits)
    assert dark.max() == 255 >> (16 - bits)
    told = depths.remarks(None)[0]
    assert told.startswith(f"1 pictures have greys of 16 bits, none above {2**bits - 1:,}; ")
    assert (f"if they use {bits}, give prepare.image.bits: {bits}" in told) == (bits < 16)
    assert depths.remarks(bits) == []


def test_floats_of_either_scale():
    for most, bits in ((1.0, "unit"), (255.0, 8), (4095.0, 12)):
        data = encode((RAMP * most).astype(np.float32), "TIFF")
        assert np.abs(grey(data, bits=bits) - RAMP * 255).max() <= 1
    # A dark picture of a set of 0…255 looks like one of 0…1: which it is, only the set can tell.
    depths = Depths()
    grey(encode(RAMP.astype(np.float32), "TIFF"), seen=depths)
    assert depths.remarks(None) == ["1 pictures of floats are read as 0…1"]
    grey(encode((RAMP * 1.01).astype(np.float32), "TIFF"), seen=depths)
    assert "of 2 pictures of floats 1 are within 0…1 and read so, the others as 0…255; give" in depths.remarks(None)[0]
    assert depths.remarks("unit") == []


def test_greys_beyond_the_depth_are_white_and_told():
    depths = Depths()
    data = encode((RAMP * 5000).astype(np.uint16))
    assert grey(data, bits=12, seen=depths).max() == 255
    assert depths.remarks(12) == ["greys above 4,095 (prepare.image.bits: 12) are white; there are some up to 5,000"]


def test_photographs_are_stored_by_the_depth():
    data = encode((RAMP * 4095).round().astype(np.uint16))
    assert np.abs(grey(stored(data, 64, "L", Conversion(bits=12))) - RAMP * 255).max() <= 1


def test_the_check_suggests_the_depth(tmp_path):
    for i in range(4):
        (tmp_path / f"{i}.png").write_bytes(encode((RAMP * (4000 - i)).astype(np.uint16)))
    (tmp_path / "t.csv").write_text("image\n" + "".join(f"{i}.png\n" for i in range(4)))
    found = check(tmp_path / "t.csv", Columns(texts=[]))
    assert found.depths.likely == 12
    assert "4 pictures have greys of 16 bits, none above 4,000" in found.depths.remarks(None)[0]


@pytest.mark.parametrize(
    ("fill", "expected"),
    [(None, (0, 0, 0)), ("white", (255, 255, 255)), ("border", (10, 200, 30)), ((1, 2, 3), (1, 2, 3))],
)
def test_bars_have_the_colour_that_is_chosen(fill, expected):
    wide = np.full((8, 32, 3), (10, 200, 30), np.uint8)
    wide[2:6, 8:24] = (255, 0, 0)
    decoded_as = decode(encode(wide), 32, "RGB", choices=Conversion(fill=fill))
    assert decoded_as[0, 0].tolist() == decoded_as[31, 31].tolist() == list(expected)
    level = round(np.dot(expected, (0.299, 0.587, 0.114)))
    assert abs(int(decode(encode(wide), 32, "L", choices=Conversion(fill=fill))[0, 0, 0]) - level) <= 1


def test_choices_are_part_of_what_a_model_says_of_its_pictures():
    """From params.yaml to dataset.json to the model's config to what reads new pictures; and nothing where there are
    none."""
    image = params.Prepare(image={"fill": [255, 255, 0], "bits": 12}).image
    described = {"height": 8, "width": 8, "channels": 3, "fit": "pad", **image.choices.told()}
    assert decoded(described) == {"fit": "pad", "fill": [255, 255, 0], "bits": 12}
    tower = {"tower": "cnn", "depth": 10, "width": 4}
    side = image_side({"image": described, "mean": [0] * 3, "std": [1] * 3}, tower, {"crop": None})
    reader = RawInputs({"image": side, "text": None}, Vocabulary([]), 8, Path()).reader("image")
    wide = encode((np.tile(RAMP, (1, 4)) * 4095).round().astype(np.uint16))
    pixels = reader(wide)
    assert pixels[0, 0].tolist() == [255, 255, 0]
    assert pixels.max() == 255
    plain = {"height": 8, "width": 8, "channels": 3, "fit": "pad", **params.Prepare().image.choices.told()}
    assert (
        not {"fill", "bits"}
        & image_side({"image": plain, "mean": [0] * 3, "std": [1] * 3}, tower, {"crop": None}).keys()
    )


@pytest.mark.parametrize(("image", "message"), [({"fit": "crop", "fill": "white"}, "fill is for the bars of fit: pad")])
def test_fill_is_for_bars(image, message):
    with pytest.raises(ValueError, match=message):
        params.Prepare(image=image)


def test_values_below_0_are_told():
    """As of computed tomography."""
    depths, buffer = Depths(), io.BytesIO()
    Image.fromarray(np.array([[-1000, 3000]], np.int32), mode="I").save(buffer, "TIFF")
    decode(buffer.getvalue(), 8, "L", "stretch", Conversion(seen=depths))
    assert depths.remarks(12) == ["1 pictures have values below 0, which are black; add to them what is missing"]
