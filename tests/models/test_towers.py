"""The published image towers against the reference's layers, and the timm backbones."""

import itertools
import json
import sys
import types
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import nn

from kith.models import DualEncoder
from kith.models.image import image_tower
from kith.networks.cifar_resnet import CifarResNet
from kith.networks.densenet import DenseNet
from kith.networks.layers import Pointwise, padded_shortcut
from kith.networks.plain import Plain
from kith.networks.pyramidnet import PyramidNet
from kith.networks.resnet import ResNet
from kith.networks.wide_resnet import WideResNet

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "hierarchy" / "architectures.json"
ARCHITECTURES = {
    "simple (embedding 100)": "plain-11",
    "resnet-32 (embedding: GAP output)": "resnet-32",
    "resnet-110 (classifier 100)": "resnet-110",
    "resnet-110 (embedding: GAP output)": "resnet-110",
    "resnet-110-fc (embedding 100)": "resnet-110-fc",
    "resnet-110-wfc (embedding 100)": "resnet-110-wfc",
    "wrn-28-10 (embedding 100)": "wrn-28-10",
    "pyramidnet-272-200 (embedding 100)": "pyramidnet-272-200",
    "pyramidnet-110-270 (embedding 100)": "pyramidnet-110-270",
}
WEIGHTED = {"Conv2D": nn.Conv2d, "BatchNormalization": (nn.BatchNorm1d, nn.BatchNorm2d), "Dense": nn.Linear}


@pytest.fixture(scope="module")
def golden():
    if not GOLDEN.exists():
        pytest.skip(f"reference numbers are not there: {GOLDEN}")
    return json.loads(GOLDEN.read_text())


def on_meta(tower: str) -> tuple[nn.Module, list[dict], list[int]]:
    """The tower and its head, the facts of its layers in the order of their use, and the channels after each block."""
    with torch.device("meta"):
        model = image_tower(tower, 3, 32)
        model = nn.Sequential(model, model.head(64 if model.__dict__.get("fixed_features") else 100))
        layers, widths = [], []
        for module in model.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d)):
                module.register_forward_hook(lambda module, _, out: layers.append(facts(module, out)))
            elif type(module).__name__.endswith("Block"):
                module.register_forward_hook(lambda module, _, out: widths.append(out.shape[1]))
        model(torch.zeros(2, 3, 32, 32))
    return model, layers, widths


def facts(module: nn.Module, out: torch.Tensor) -> dict:
    _, *channels_first = out.shape
    found = {
        "type": next(name for name, kind in WEIGHTED.items() if isinstance(module, kind)),
        "out": channels_first[1:] + channels_first[:1],
        "params": sum(v.numel() for k, v in module.state_dict().items() if k != "num_batches_tracked"),
    }
    if isinstance(module, nn.Conv2d):
        found |= {"kernel": list(module.kernel_size), "stride": list(module.stride)}
    if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
        return found | {"eps": module.eps, "momentum": pytest.approx(1 - module.momentum)}
    return found | {"bias": module.bias is not None}


def weighted(layers: list[dict]) -> list[dict]:
    keys = ("type", "out", "params", "kernel", "stride", "eps", "momentum", "bias")
    return [{key: layer[key] for key in keys if key in layer} for layer in layers if layer["type"] in WEIGHTED]


@pytest.mark.parametrize("name", ["plain-11", "resnet-20", "resnet-20-fc", "resnet-20-wfc", "pyramidnet-20-16"])
def test_selu_takes_the_place_of_every_relu(name):
    plain, selu = (image_tower(each, 3, 32) for each in (name, f"{name}-selu"))
    assert list(plain.state_dict()) == list(selu.state_dict())
    kinds = [Counter(type(each) for each in tower.modules()) for tower in (plain, selu)]
    assert kinds[0][nn.ReLU] == kinds[1][nn.SELU] > 0
    assert not kinds[0][nn.SELU] + kinds[1][nn.ReLU]
    selu.load_state_dict(plain.state_dict())
    pictures = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert not torch.allclose(plain.eval()(pictures), selu.eval()(pictures))
    with pytest.raises(ValueError, match="there is no resnet-50 here"):
        image_tower("resnet-50-selu", 3, 32)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_towers_are_the_references_layer_by_layer(golden, name):
    expected = golden[name]
    model, layers, widths = on_meta(ARCHITECTURES[name])
    if "classifier" in name:
        layers.append({"type": "Dense", "out": [100], "params": 6500, "bias": True})  # of the model, not the tower
    summary = expected["summary"]
    assert sum(layer["params"] for layer in layers) == summary["total_params"]
    if "classifier" not in name:
        assert sum(p.numel() for p in model.parameters()) == summary["trainable_params"]
    for count, kind in (("n_conv", "Conv2D"), ("n_bn", "BatchNormalization"), ("n_dense", "Dense")):
        assert sum(layer["type"] == kind for layer in layers) == summary[count]
    first, last = weighted(expected["layers"]), weighted(expected["tail"])
    assert layers[: len(first)] == first
    assert layers[len(layers) - len(last) :] == last
    assert widths == expected["channel_widths"]


@pytest.mark.parametrize(
    ("tower", "dim", "count"),
    [
        ("plain-11", 100, 3_381_796),
        ("wrn-28-10", 100, 36_536_884),
        ("densenet-bc-100-12", 10, 769_162),
        ("densenet-bc-190-40", 10, 25_624_430),
        ("densenet-100-12", 10, 6_979_642),
        ("densenet-100-24", 10, 27_249_082),
    ],
)
def test_published_numbers_of_parameters(tower, dim, count):
    """Those of DenseNets are 0.8, 25.6, 7.0 and 27.2 million in the paper's table 2."""
    with torch.device("meta"):
        model = image_tower(tower, 3, 32)
        assert sum(p.numel() for p in [*model.parameters(), *model.head(dim).parameters()]) == count


@pytest.mark.parametrize(
    ("depth", "count"), [(18, 11_176_512), (50, 23_508_032), (101, 42_500_160), (152, 58_143_808), (200, 62_624_832)]
)
def test_resnets_by_name_are_those_of_photographs(depth, count):
    with torch.device("meta"):
        model = image_tower(f"resnet-{depth}", 3, 224)
    assert isinstance(model, ResNet)
    assert sum(p.numel() for p in model.parameters()) == count


SMALL = {
    "plain-11": lambda: Plain(2),
    "resnet-14": lambda: CifarResNet(2, 14, 4),
    "wrn-10-1": lambda: WideResNet(2, 10, 1),
    "pyramidnet-14-12": lambda: PyramidNet(2, 14, 12, bottleneck=False),
    "pyramidnet-11-12": lambda: PyramidNet(2, 11, 12, bottleneck=True),
    "densenet-10-4": lambda: DenseNet(2, 10, 4, compact=False),
    "densenet-bc-16-4": lambda: DenseNet(2, 16, 4, compact=True),
}


@pytest.mark.parametrize("size", [16, 21])
@pytest.mark.parametrize("name", SMALL)
def test_towers_take_odd_sizes_and_every_parameter_learns(name, size):
    torch.manual_seed(0)
    tower = SMALL[name]()
    model = nn.Sequential(tower, tower.head(5))
    rows = model(torch.randn(4, 2, size, size))
    assert rows.shape == (4, 5)
    rows.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())
    assert sum(float(p.grad.abs().sum()) > 0 for p in model.parameters()) == len(list(model.parameters()))


def test_towers_are_found_by_their_names():
    kinds = {
        "plain-11": Plain,
        "resnet-20": CifarResNet,
        "resnet-20-wfc": CifarResNet,
        "wrn-10-2": WideResNet,
        "pyramidnet-20-12": PyramidNet,
        "densenet-bc-16-4": DenseNet,
        "resnet-18": ResNet,
    }
    with torch.device("meta"):
        towers = {name: image_tower(name, 1, 32) for name in kinds}
    assert {name: type(tower) for name, tower in towers.items()} == kinds
    assert [towers[f"resnet-20{variant}"].out_features for variant in ("", "-wfc")] == [64, 128]


@pytest.mark.parametrize(
    ("tower", "told"),
    [
        ("gru", "does not take pictures; choose cnn"),
        ("resnet-34-fc", "there is no resnet-34 here: of small pictures"),
        ("resnet-2", "there is no resnet-2 here"),
        ("resnet-164", "of photographs resnet-18, 34, 50, 101, 152, 200; or take timm:resnet164"),
        ("resnet-164-fc", "there is no resnet-164 here"),
        ("wrn-27-10", "6n \\+ 4 layers"),
        ("pyramidnet-273-200", "9n \\+ 2 layers"),
        ("pyramidnet-109-200", "6n \\+ 2 layers"),
        ("densenet-100-12-bc", "does not take pictures"),
        ("densenet-bc-99-12", "6n \\+ 4 layers"),
        ("densenet-99-12", "3n \\+ 4 layers"),
    ],
)
def test_towers_that_do_not_exist_are_refused(tower, told):
    with pytest.raises(ValueError, match=told):
        image_tower(tower, 3, 32)
    with pytest.raises(ValueError, match="no ResNet of depth 51; choose 10, 18"):
        image_tower("resnet", 3, 32, depth=51)


def encoder(tower: str, dim: int) -> DualEncoder:
    image = {"tower": tower, "channels": 1, "size": 16, "fit": "pad", "mean": [0.5], "std": [0.25]}
    text = {"tower": "bag", "words": 9, "embedding": 5, "hidden": 7}
    return DualEncoder({"dim": dim, "image": image, "text": text, "projection": {"kind": "unit"}})


def test_pooled_features_are_the_embedding_of_a_plain_resnet():
    model = encoder("resnet-8", 64).eval()
    pictures = torch.randint(256, (2, 16, 16, 1), dtype=torch.uint8)
    prepared = model.prepare(pictures)
    torch.testing.assert_close(model.encode_images(prepared), model.image_tower(prepared))
    assert model.image_tower.fixed_features == 64
    with pytest.raises(ValueError, match="64 pooled features and has no layer into 100 dimensions: choose the -fc"):
        encoder("resnet-8", 100)
    assert encoder("resnet-8-fc", 100).encode_images(prepared).shape == (2, 100)


def test_shortcuts_average_pixels_and_pad_channels():
    x = torch.randn(2, 3, 5, 4)
    centred, behind = (padded_shortcut(x, 8, 2, centred=centred) for centred in (True, False))
    assert centred.shape == behind.shape == (2, 8, 3, 2)
    for i, j in itertools.product(range(3), range(2)):
        mean = x[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean(dim=(2, 3))
        torch.testing.assert_close(centred[:, 2:5, i, j], mean)
        torch.testing.assert_close(behind[:, :3, i, j], mean)
    assert (centred[:, [0, 1, 5, 6, 7]] == 0).all()
    assert (behind[:, 3:] == 0).all()
    assert padded_shortcut(x, 3, 1, centred=True) is x


def deviation(kernel: torch.Tensor, scale: float, fans: float) -> float:
    """Standard deviation over √(scale / fans)."""
    return float(kernel.detach().std()) / (scale / fans) ** 0.5


def test_initial_values_are_the_references():
    torch.manual_seed(0)
    uniform = CifarResNet(3, 8, 32).blocks[0].conv1
    limit = (6 / (32 * 9 + 32 * 9)) ** 0.5
    assert 0.98 * limit < uniform.weight.abs().max() <= limit
    assert (uniform.bias == 0).all()
    normal = PyramidNet(3, 8, 60, bottleneck=False).blocks[-1].residual[1]
    before, after = normal.in_channels, normal.out_channels
    assert deviation(normal.weight, 2, 9 * (before + after)) == pytest.approx(1, abs=0.02)
    assert normal.weight.abs().max() > (6 / (9 * (before + after))) ** 0.5  # not uniform
    wide = WideResNet(3, 10, 2)
    norms = [m for m in wide.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all((m.weight.abs() <= 0.05).all() and m.weight.unique().numel() > 1 for m in norms)
    kernel = wide.layers[-3].residual[0]
    assert deviation(kernel.weight, 2, 9 * kernel.in_channels) == pytest.approx(1, abs=0.02)
    dense = Plain(1).head(100)
    assert 0.98 < dense.weight.abs().max() / (6 / 612) ** 0.5 <= 1
    assert (dense.bias == 0).all()


class Backbone(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.shape[2] == 16, "Input height doesn't match"
        return x.mean(dim=(2, 3)).repeat(1, 4)


@pytest.fixture
def timm(monkeypatch):
    made = []

    def create_model(name, **options):
        made.append((name, options))
        return Backbone()

    module = types.ModuleType("timm")
    module.create_model, module.is_model, module.made = create_model, lambda name: name == "some_net", made
    monkeypatch.setitem(sys.modules, "timm", module)
    return module


def test_timm_backbones_are_built_without_classifier(timm):
    tower = image_tower("timm:some_net", 3, 16)
    assert tower.out_features == 12
    assert tower.training
    assert timm.made == [("some_net", {"pretrained": False, "num_classes": 0, "in_chans": 3})]
    assert tower(torch.zeros(2, 3, 16, 16)).shape == (2, 12)


def test_timm_towers_that_do_not_fit_are_refused(timm):
    with pytest.raises(ValueError, match="timm has no model 'other'"):
        image_tower("timm:other", 3, 16)
    with pytest.raises(ValueError, match="some_net does not take pictures of 3×32×32: Input height"):
        image_tower("timm:some_net", 3, 32)


def test_timm_that_is_missing_or_broken_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match="pip install timm"):
        image_tower("timm:resnet18", 3, 32)
    (tmp_path / "timm.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.delitem(sys.modules, "timm")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"torchvision made for this torch.*nms does not exist"):
        image_tower("timm:resnet18", 3, 32)


@pytest.mark.parametrize("channels", [3, 8, 16, 24])
def test_a_pointwise_convolution_is_that_of_every_other_pixel(channels):
    """With few channels and a stride oneDNN's own gradient writes beyond its memory."""
    torch.manual_seed(0)
    layer = Pointwise(channels, 16, stride=2)
    exact = torch.nn.Conv2d(channels, 16, 1, 2, bias=False).double()
    exact.weight.data.copy_(layer.weight.data)
    x = torch.randn(5, channels, 9, 9).contiguous(memory_format=torch.channels_last).requires_grad_()
    far = x.detach().double().requires_grad_()
    assert list(layer.state_dict()) == ["weight"]
    for each, given in ((layer, x), (exact, far)):
        each(given).square().sum().backward()
    assert torch.allclose(layer(x).double(), exact(far), atol=1e-5)
    assert torch.allclose(layer.weight.grad.double(), exact.weight.grad, rtol=1e-4)
    assert torch.allclose(x.grad.double(), far.grad, atol=1e-4)
