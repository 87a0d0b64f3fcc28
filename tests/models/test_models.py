from pathlib import Path

import numpy as np
import pytest
import torch

from kith import models
from kith.errors import KithError
from kith.models import DualEncoder
from kith.models.embed import embed_images, embed_texts, encode_pairs
from kith.models.features import TfidfTower, feature_tower
from kith.models.image import CNN, ResNet, load_weights
from kith.models.text import BagTower, GRUTower, load_inverse_frequency, load_word_vectors
from kith.store.inputs import ArrayInput, TokenInput
from kith.text.tokens import Vocabulary
from kith.training.augment import augment

VOCABULARY = Vocabulary(["red", "blue", "square"])


def config(image: str = "cnn", text: str = "gru", channels: int = 1, size: int = 16) -> dict:
    return {
        "dim": 6,
        "image": {
            "tower": image,
            "depth": 10,
            "width": 8,
            "channels": channels,
            "size": size,
            "fit": "pad",
            "mean": [0.5] * channels,
            "std": [0.25] * channels,
        },
        "text": {"tower": text, "words": len(VOCABULARY), "embedding": 5, "hidden": 7, "dropout": 0.0},
        "projection": {"kind": "unit"},
    }


def parameters(module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(("depth", "count"), [(18, 11_176_512), (34, 21_284_672), (50, 23_508_032)])
def test_resnets_have_the_published_number_of_parameters(depth, count):
    with torch.device("meta"):
        assert parameters(ResNet(3, 224, depth, 64)) == count


def test_resnet_parameter_names_are_torchvisions():
    names = ResNet(3, 224, 50, 64).state_dict().keys()
    assert {"conv1.weight", "bn1.running_mean", "layer1.0.downsample.0.weight", "layer4.2.conv3.weight"} <= names


def test_torchvision_weights_are_loaded_and_unfit_ones_refused(tmp_path):
    source, target = ResNet(3, 224, 18, 64), ResNet(3, 224, 18, 64)
    torch.save(
        source.state_dict() | {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}, tmp_path / "w.pt"
    )
    load_weights(target, str(tmp_path / "w.pt"))
    torch.testing.assert_close(source.layer3[1].conv2.weight, target.layer3[1].conv2.weight)
    with pytest.raises(ValueError, match="do not fit"):
        load_weights(ResNet(1, 32, 18, 32), str(tmp_path / "w.pt"))
    with pytest.raises(ValueError, match="only the resnet"):
        load_weights(CNN(3, 32), str(tmp_path / "w.pt"))


@pytest.mark.parametrize("size", [16, 32, 48, 128])
@pytest.mark.parametrize("tower", ["cnn", "resnet"])
def test_towers_take_any_size(tower, size):
    model = DualEncoder(config(tower, size=size, channels=3))
    pictures = torch.randint(256, (2, size, size, 3), dtype=torch.uint8)
    rows = model.embed_images(model.prepare(pictures))
    assert rows.shape == (2, 6)
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("tower", [GRUTower, BagTower])
def test_padding_does_not_change_a_text(tower):
    torch.manual_seed(0)
    model = tower(len(VOCABULARY), 5, 7).eval()
    short, long = VOCABULARY.encode(["red square"]), VOCABULARY.encode(["red square", "blue red red red square"])
    alone = model(*(torch.from_numpy(x).long() for x in short))
    padded = model(*(torch.from_numpy(x).long() for x in long))
    torch.testing.assert_close(alone[0], padded[0])


def test_the_gru_sees_word_order_and_the_bag_does_not():
    tokens, lengths = (torch.from_numpy(x).long() for x in VOCABULARY.encode(["red blue", "blue red"]))
    bag, gru = BagTower(7, 5, 7)(tokens, lengths), GRUTower(7, 5, 7)(tokens, lengths)
    torch.testing.assert_close(bag[0], bag[1])
    assert not torch.allclose(gru[0], gru[1])


def test_word_vectors_start_the_embedding():
    tower = BagTower(len(VOCABULARY), 3, 4)
    known = load_word_vectors(tower, VOCABULARY, {"blue": torch.arange(3.0), "green": torch.ones(3)})
    assert known == 1
    torch.testing.assert_close(tower.embedding.weight[5].detach(), torch.arange(3.0))
    with pytest.raises(ValueError, match=r"make train\.text\.embedding equal"):
        load_word_vectors(tower, VOCABULARY, {"red": torch.ones(4)})


@pytest.mark.parametrize("tower", ["gru", "bag", "tfidf"])
def test_a_model_starts_from_another_word_by_word(tmp_path, tower):
    """Their numbers may be others, also where as many words are known."""
    start = DualEncoder(config(text=tower))
    (tmp_path / "start.pt").write_bytes(models.save(start, VOCABULARY, 12, {}))
    model, words = DualEncoder(config(text=tower)), Vocabulary(["zebra", "blue", "red"])
    name, along = ("mlp.1.weight", 1) if tower == "tfidf" else ("embedding.weight", 0)
    before, known = model.text_tower.get_parameter(name).clone(), start.text_tower.get_parameter(name)
    models.start_from(model, words, tmp_path / "start.pt")
    found = model.text_tower.get_parameter(name)
    assert torch.equal(found.select(along, 4), before.select(along, 4))  # a zebra is new
    assert torch.equal(found.select(along, 5), known.select(along, 5))
    assert torch.equal(found.select(along, 6), known.select(along, 4))
    assert torch.equal(found.narrow(along, 0, 4), known.narrow(along, 0, 4))


def test_a_saved_model_comes_back_the_same_and_saves_to_the_same_bytes(tmp_path):
    torch.manual_seed(0)
    model = DualEncoder(config()).eval()
    data = models.save(model, VOCABULARY, 12, {"method": "m", "seed": 0})
    (tmp_path / "model.pt").write_bytes(data)
    loaded, vocabulary, content = models.load(tmp_path / "model.pt")
    assert vocabulary.words == VOCABULARY.words
    assert content["max_tokens"] == 12
    assert content["trained"] == {"method": "m", "seed": 0}
    assert models.save(loaded, vocabulary, 12, content["trained"]) == data
    pictures = np.random.default_rng(0).integers(256, size=(9, 16, 16, 1), dtype=np.uint8)
    rows, view = np.array([7, 2, 5]), ArrayInput(pictures, np.arange(9))
    np.testing.assert_array_equal(embed_images(model, view, rows, 2), embed_images(loaded, view, rows, 2))
    encoded = vocabulary.encode(["red", "blue square", "square red blue"])
    rows, texts = np.arange(3), TokenInput(*encoded, np.arange(4))
    np.testing.assert_array_equal(embed_texts(model, texts, rows, 2), embed_texts(loaded, texts, rows, 2))


@pytest.mark.parametrize("rule", ["plain", "units", "pairs", "spaced"])
def test_a_tokenizer_that_an_older_kith_would_not_understand_makes_a_newer_file(tmp_path, rule):
    model = DualEncoder(config()).eval()
    vocabulary = Vocabulary(VOCABULARY.words, rule)
    (tmp_path / "model.pt").write_bytes(models.save(model, vocabulary, 12, {}))
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    assert content["format"] == ("kith-model-2" if rule == "plain" else "kith-model-3")
    assert list(content)[:3] == ["format", "config", "vocabulary"]
    assert ("tokenizer" in content) == (rule != "plain")
    _, loaded, saved = models.load(tmp_path / "model.pt")
    assert loaded.state() == vocabulary.state()
    assert set(saved) == {"format", "config", "max_tokens", "trained"}


def test_tfidf_is_that_of_scikit_learn():
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = ["red square", "blue red red", "blue square", "red red red blue", "unknown red"]
    tower = TfidfTower(len(VOCABULARY), 8, 1).eval()
    tokens, lengths = VOCABULARY.encode(texts)
    load_inverse_frequency(tower, tokens)
    seen = []
    tower.mlp.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    tower(torch.from_numpy(tokens).long(), torch.from_numpy(lengths).long())
    expected = TfidfVectorizer(vocabulary=VOCABULARY.words).fit_transform(texts).toarray()
    np.testing.assert_allclose(seen[0][:, len(Vocabulary.MARKS) :], expected, atol=1e-6)
    assert (seen[0][:, : len(Vocabulary.MARKS)] == 0).all()


def features(shape: list[int], tower: str, **more) -> dict:
    return {"tower": tower, "shape": shape, "shift": 1.0, "scale": 2.0, "hidden": 8, "layers": 2, "width": 4} | more


@pytest.mark.parametrize(
    ("image", "text"),
    [
        (features([5], "linear", shift=[0.5] * 5, scale=[2.0] * 5), features([7], "mlp")),
        (features([1, 16, 20], "vgg"), features([2, 20, 16], "vgg")),
        (features([2, 16, 16], "mlp"), config()["text"]),
    ],
)
@pytest.mark.parametrize("projection", [{"kind": "cca", "power": 0.5}, {"kind": "learned"}, {"kind": "unit"}])
def test_models_of_features_come_back_the_same(tmp_path, image, text, projection):
    torch.manual_seed(0)
    model = DualEncoder({"dim": 6, "image": image, "text": text, "projection": projection})
    random = np.random.default_rng(0)
    rows, index = np.arange(20), np.arange(20)
    view = ArrayInput(random.random((20, *image["shape"]), dtype=np.float32), index)
    if "shape" in text:
        other = ArrayInput(random.random((20, *text["shape"]), dtype=np.float32), index)
    else:
        other = TokenInput(*VOCABULARY.encode(["red blue"] * 19 + ["square"]), np.arange(21))
    if projection["kind"] != "unit":
        model.eval().projection.refit(encode_pairs(model, view, rows, other, rows, 8))
    (tmp_path / "model.pt").write_bytes(models.save(model.eval(), VOCABULARY, 12, {}))
    loaded, _, _ = models.load(tmp_path / "model.pt")
    for embed, side in ((embed_images, view), (embed_texts, other)):
        first = embed(model, side, rows, 8)
        assert first.shape == (20, 6)
        np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, rtol=1e-5)
        np.testing.assert_array_equal(first, embed(loaded, side, rows, 8))


@pytest.mark.parametrize(
    ("tower", "shape", "told"),
    [
        ("vgg", (5,), "maps of at least 16×16"),
        ("vgg", (1, 15, 40), "maps of at least 16×16"),
        ("gru", (5,), "does not take features; choose linear, residual, mlp or vgg"),
    ],
)
def test_features_that_a_tower_does_not_take(tower, shape, told):
    with pytest.raises(ValueError, match=told):
        feature_tower(tower, shape, 8, 2, 4)


def test_embedding_nothing_gives_no_rows():
    model = DualEncoder(config()).eval()
    nothing = ArrayInput(np.zeros((1, 16, 16, 1), np.uint8), np.array([0]))
    assert embed_images(model, nothing, np.array([], int)).shape == (0, 6)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "model.pt"
    with pytest.raises(KithError, match="no such model"):
        models.load(path)
    path.write_bytes(b"nonsense")
    with pytest.raises(KithError, match=r"cannot be read .*it is not a Kith model file, or damaged; train it again"):
        models.load(path)
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(
        KithError, match=r"cannot be read \(it is a pointer of Git LFS\); get the file itself with git lfs pull$"
    ):
        models.load(path)
    torch.save({"weights": Path("x")}, path)
    with pytest.raises(
        KithError, match=r"\(it holds other things than tensors and plain values, or is damaged\); it is not"
    ):
        models.load(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(KithError, match="cannot be read"):
        models.load(path)
    torch.save({"weights": torch.ones(2)}, path)
    with pytest.raises(KithError, match="not a Kith model"):
        models.load(path)


def test_augment_without_amounts_changes_nothing_and_repeats_with_its_seed():
    images = torch.rand(4, 1, 16, 16)
    same = augment(images, torch.Generator().manual_seed(0))
    assert same is images
    amounts = {"flip": True, "shift": 0.1, "rotate": 10.0, "scale": 0.1}
    first, again = (augment(images, torch.Generator().manual_seed(1), **amounts) for _ in range(2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert not torch.allclose(first, images)


def test_augment_shifts_no_further_than_asked():
    images = torch.zeros(200, 1, 21, 21)
    images[:, :, 10, 10] = 1
    moved = augment(images, torch.Generator().manual_seed(0), shift=0.1)
    ys, xs = torch.meshgrid(torch.arange(21.0), torch.arange(21.0), indexing="ij")
    mass = moved.sum(dim=(1, 2, 3))
    offset = torch.stack([(moved[:, 0] * g).sum(dim=(1, 2)) / mass - 10 for g in (ys, xs)])
    assert offset.abs().max() <= 2.1 + 0.05
    assert offset.abs().max() > 1.5


def test_augment_flips_half():
    images = torch.zeros(400, 1, 8, 8)
    images[:, :, :, 0] = 1
    flipped = augment(images, torch.Generator().manual_seed(0), flip=True)[:, 0, 0, 0] < 0.5
    assert 150 < flipped.sum() < 250
