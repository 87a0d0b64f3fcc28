"""Pictures standardised by published means and deviations."""

import re
from pathlib import Path

import pytest
import torch

from kith.losses import Needs
from kith.models import DualEncoder
from kith.training.architecture import architecture, image_side
from kith.training.statistics import PUBLISHED
from stages.params.towers import ImageTower

TOLD = Path(__file__).resolve().parents[3] / "shared" / "references" / "semantic-embeddings.txt"
DATASET = {"image": {"height": 32, "width": 32, "channels": 3}, "mean": [0.5] * 3, "std": [0.25] * 3}
PLAIN = {"tower": "cnn", "depth": 18, "width": 4, "statistics": None}


def seen(statistics: str | None, pictures: torch.Tensor) -> torch.Tensor:
    """What the tower of such a model gets."""
    side = image_side(DATASET, PLAIN | {"statistics": statistics}, {"crop": None})
    model = DualEncoder({"dim": 4, "image": side, "text": None, "projection": {"kind": "unit"}}).eval()
    return model.prepare(pictures)


def test_they_are_those_of_the_published_table():
    if not TOLD.exists():
        pytest.skip("without the references")
    table = TOLD.read_text(encoding="utf-8").split("4.2. Pre-processing")[-1]
    rows = re.findall(r"^(\S+)[^\[\n]*\[(.*?)\] \[(.*?)\]$", table, re.MULTILINE)
    assert len(rows) == 4
    for name, *both in rows:
        told = tuple(tuple(float(number) for number in each.split(",")) for each in both)
        assert PUBLISHED[name.lower().replace("-", "")][:2] == told


def test_pictures_are_standardised_by_them():
    pictures = torch.randint(0, 256, (2, 32, 32, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    for name in ("ilsvrc", "cub"):
        mean, std, _ = PUBLISHED[name]
        expected = (pictures.double() - torch.tensor(mean).double()) / torch.tensor(std).double()
        torch.testing.assert_close(seen(name, pictures).double(), expected.permute(0, 3, 1, 2), atol=1e-5, rtol=1e-5)
    plain = (pictures.double() / 255 - 0.5) / 0.25
    torch.testing.assert_close(seen(None, pictures).double(), plain.permute(0, 3, 1, 2), atol=1e-5, rtol=1e-5)


def test_caffe_has_blue_first_and_is_not_divided():
    picture = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    picture[..., 0], picture[..., 2] = 200, 10  # red, blue
    blue, green, red = seen("caffe", picture)[0, :, 5, 7].tolist()
    assert (blue, green, red) == pytest.approx((10 - 103.939, -116.779, 200 - 123.68), abs=1e-3)


def test_what_they_do_not_fit_is_refused():
    grey = DATASET | {"image": {"height": 32, "width": 32, "channels": 1}}
    with pytest.raises(ValueError, match=r"ilsvrc is of colours; leave it out, or set prepare\.image\.mode: RGB"):
        image_side(grey, PLAIN | {"statistics": "ilsvrc"}, {"crop": None})
    features = {"features": {"image": {"shape": [8], "shift": 0.0, "scale": 1.0}}}
    with pytest.raises(ValueError, match=r"image\.statistics is for pictures, not for features"):
        image_side(features, PLAIN | {"tower": "mlp", "statistics": "ilsvrc"}, {"crop": None})
    with pytest.raises(ValueError, match="an encoder has its own; leave ilsvrc out"):
        ImageTower(tower="encoder", encoder="lite0", statistics="ilsvrc")


def test_without_them_nothing_is_said_of_them():
    """Models of before stay as they are, byte by byte."""
    options = {"dim": 4, "image": PLAIN, "text": {}, "augment": {"crop": None}, "head": "linear", "codes": False}
    needs = Needs(texts=False, classes=False, targets=False, neighbors=False, classifier=None)
    found = architecture(options | {"projection": {"kind": "unit"}}, DATASET, needs, words=0)["image"]
    plain = {"tower": "cnn", "depth": 18, "width": 4, "channels": 3, "size": 32, "crop": None}
    assert found == plain | {"mean": [0.5] * 3, "std": [0.25] * 3}
