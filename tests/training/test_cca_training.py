"""The published training program, step by step, through Kith's own parts."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from kith.cca import CCA
from kith.models import DualEncoder
from kith.models.features import MLP, VGG
from kith.store.inputs import ArrayInput
from kith.training.data import TrainingData
from kith.training.loop import fit
from kith.training.objective import Objective
from kith.training.optimization import optimizer_of
from kith.training.options import Refine, TrainingConfig
from kith.training.scheduling import Refinement
from kith.training.task import Task
from tests.made import model_and_objective, pair_data

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "cca"
PROJECTIONS = {"cca": {"kind": "cca", "alpha": 1.0, "r1": 1e-3, "r2": 1e-3, "rT": 1e-3}}
PROJECTIONS["learned"] = {"kind": "learned", "alpha": 1.0}

needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="no golden data")


def hinge(weight: float, margin: float, symmetric: bool) -> dict:
    shape = {"negatives": "all", "warmup_epochs": 0, "reduction": "mean", "distance": "cosine"}
    return {"weight": weight, "margin": margin, "symmetric": symmetric, **shape}


def vectors(dimensions: int, tower: str, hidden: int = 16) -> dict:
    return {
        "tower": tower,
        "shape": [dimensions],
        "shift": 0.0,
        "scale": 1.0,
        "hidden": hidden,
        "layers": 2,
        "width": 8,
    }


def published(golden) -> Task:
    """The published network with the golden's first weights, and its objective."""
    learned = "init/18_S12" not in golden
    config = {"dim": 4, "image": vectors(12, "linear"), "text": vectors(10, "mlp")}
    config["projection"] = PROJECTIONS["learned" if learned else "cca"]
    model = DualEncoder(config).double()
    load(model, golden, "init", learned)
    tno = float(golden["weight_tno"])
    terms = {"pairwise_hinge": hinge(1 - tno, float(golden["gamma"]), bool(golden["symmetric"]))}
    terms |= {"trace_norm": {"weight": tno}}
    return Task(model, Objective({name: each for name, each in terms.items() if each["weight"]}))


def load(model: DualEncoder, golden, prefix: str, learned: bool) -> None:
    for name, parameter in places(model, learned).items():
        value = torch.from_numpy(golden[f"{prefix}/{name}"])
        if name.endswith("inv_std"):
            value = value**-2 - 1e-4
        with torch.no_grad():
            parameter.copy_(value.T if name.endswith("W") else value)


def places(model: DualEncoder, learned: bool) -> dict[str, torch.Tensor]:
    tower, head = model.text_tower, model.text_head
    named = {"00_W": model.image_head.weight, "01_b": model.image_head.bias}
    for i, (linear, norm) in ((2, (tower[1], tower[2])), (7, (tower[4], tower[5]))):
        named[f"{i:02d}_dense_bn.W"] = linear.weight
        tensors = {"beta": norm.bias, "gamma": norm.weight, "mean": norm.running_mean, "inv_std": norm.running_var}
        named |= {f"{i + n:02d}_dense_bn_bn.{name}": tensor for n, (name, tensor) in enumerate(tensors.items(), 1)}
    named |= {"12_W": head.weight, "13_b": head.bias}
    if learned:
        named |= {"14_U": model.projection.u, "15_V": model.projection.v}
    return named


def squares(task: Task) -> torch.Tensor:
    return sum(p.detach().square().sum() for p in task.parameters() if p.requires_grad)


@needs_golden
@pytest.mark.parametrize("name", ["ccal_cont", "ccal_tno", "learned_cont"])
def test_five_steps_of_the_published_training(name):
    golden = np.load(GOLDEN / f"train_steps_{name}.npz")
    learned = name == "learned_cont"
    task = published(golden).train()
    l2 = float(golden["l2"])
    optimizer = optimizer_of(task, TrainingConfig(epochs=1, optimizer="adam", lr=float(golden["lr"]), l2=l2))
    for step, (x, y) in enumerate(zip(golden["X"], golden["Y"], strict=True)):
        nobody = torch.zeros(len(x), dtype=torch.bool)
        loss, _ = task(torch.from_numpy(x), (torch.from_numpy(y),), torch.arange(len(x)), nobody)
        assert float(loss.detach() + l2 * squares(task)) == pytest.approx(golden["train_loss"][step], abs=1e-10)
        if not learned:
            correlations = task.model.projection.correlations.detach().numpy()
            np.testing.assert_allclose(np.sort(correlations), golden["corr"][step], atol=1e-9)
        optimizer.zero_grad()
        loss.backward()
        # The published Adam adds its 1e-8 before the correction of the second moment's bias.
        for group in optimizer.param_groups:
            group["eps"] = 1e-8 / np.sqrt(1 - 0.999 ** (step + 1))
        optimizer.step()
    for place, tensor in places(task.model, learned).items():
        if "bn_bn.mean" not in place and "inv_std" not in place:
            expected = golden[f"final/{place}"]
            expected = expected.T if place.endswith("W") else expected
            np.testing.assert_allclose(tensor.detach().numpy(), expected, atol=1e-10, err_msg=place)


@needs_golden
@pytest.mark.parametrize("name", ["ccal_cont", "ccal_tno"])
def test_the_refit_after_published_training(name):
    """With the published running statistics of batch norm, which average 1/std where PyTorch averages variances."""
    golden = np.load(GOLDEN / f"train_steps_{name}.npz")
    model = published(golden).model.eval()
    load(model, golden, "final", learned=False)
    with torch.no_grad():
        x, y, held_x, held_y = (torch.from_numpy(golden[key]) for key in ("X", "Y", "X_eval", "Y_eval"))
        model.projection.refit(zip(map(model.encode_images, x), map(model.encode_texts, y), strict=True))
        np.testing.assert_allclose(model.projection.correlations, np.sort(golden["refit_coeffs"])[::-1], atol=1e-9)
        similarity = model.embed_images(held_x) @ model.embed_texts(held_y).T
    expected = golden["refit_eval_Z1"] @ golden["refit_eval_Z2"].T
    np.testing.assert_allclose(similarity, expected, atol=1e-7)


def test_towers_have_the_published_number_of_parameters():
    def count(*modules: torch.nn.Module) -> int:
        return sum(p.numel() for module in modules for p in module.parameters())

    linear, mlp, vgg = MLP(4096, layers=0), MLP(2048), VGG(1, 24)
    assert count(linear, linear.head(128), mlp, mlp.head(128)) == 3_805_440
    assert 2 * count(vgg, vgg.head(32)) == 662_000
    assert vgg.head(32)(vgg(torch.randn(2, 1, 92, 42))).shape == (2, 32)
    assert vgg.head(32)(vgg(torch.randn(2, 1, 40, 50))).shape == (2, 32)


def synthetic() -> TrainingData:
    golden = np.load(GOLDEN / "synthetic_fit_data.npz")
    rows = np.arange(1800)
    views = (ArrayInput(golden[name], rows) for name in ("X", "Y"))
    return TrainingData(*views, groups=rows, train=rows[:1000], val=rows[1000:1300])


def two_views(projection: str, dim: int = 8) -> DualEncoder:
    config = {"dim": dim, "image": vectors(20, "linear"), "text": vectors(30, "mlp", hidden=32)}
    return DualEncoder(config | {"projection": PROJECTIONS[projection]})


RECIPE = TrainingConfig(
    epochs=40,
    batch_size=100,
    fill_batches=True,
    optimizer="adam",
    lr=5e-3,
    l2=1e-4,
    schedule="refine",
    refine=Refine(patience=8, steps=1, multiplier=0.5, later_patience=10),
)


@needs_golden
@pytest.mark.parametrize(
    ("projection", "terms", "expected"),
    [
        ("cca", {"pairwise_hinge": hinge(1, 0.5, symmetric=False)}, "ccal_cont_fullrefit"),
        ("cca", {"trace_norm": {"weight": 1}}, "ccal_tno_fullrefit"),
        ("learned", {"pairwise_hinge": hinge(1, 0.5, symmetric=True)}, "learned_cont"),
    ],
)
def test_a_whole_training_reaches_what_an_independent_one_reaches(projection, terms, expected):
    import json

    reference = [run["val"] for run in json.loads((GOLDEN / "synthetic_fit_torch.json").read_text())[expected]]
    reached = []
    for seed in range(2):
        torch.manual_seed(seed)
        config = TrainingConfig(**{**vars(RECIPE), "seed": seed})
        history = fit(two_views(projection), Objective(terms), synthetic(), config, cpu())
        reached.append(max(record["val_mrr"] for record in history))
    assert np.mean(reached) == pytest.approx(np.mean(reference), abs=3 * np.std(reference, ddof=1))


def cpu() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


def train(projection: str, config: TrainingConfig, **options):
    data, vocabulary = pair_data()
    model, objective = model_and_objective(
        len(vocabulary), {"pairwise_hinge": hinge(1, 0.5, True)}, PROJECTIONS.get(projection)
    )
    return model, fit(model, objective, data, config, cpu(), **options)


SHAPES = TrainingConfig(epochs=12, batch_size=48, fill_batches=True, lr=5e-3)


@pytest.mark.parametrize("projection", ["cca", "learned"])
def test_projections_learn_and_resume_to_the_same_bytes(projection):
    states = []
    model, history = train(projection, SHAPES, on_checkpoint=lambda state: states.append(copy.deepcopy(state)))
    # 24 kinds, one picture each: chance is an MRR of about .16.
    assert max(record["val_mrr"] for record in history) > 0.4
    assert {"train_mrr", "train_distance", "val_distance"} <= history[0].keys()
    resumed, again = train(projection, SHAPES, resume=states[4])
    assert again == history
    for a, b in zip(model.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_the_stored_projection_is_the_linear_cca_of_the_training_items():
    data, _ = pair_data()
    config = TrainingConfig(epochs=1, batch_size=168, fill_batches=True, lr=1e-9)
    model, _ = train("cca", config)
    model.eval()
    random = np.random.default_rng(0)
    (images,), texts = (view.take(view.one_of(data.train, random)) for view in (data.image, data.text))
    with torch.no_grad():
        first, second = model.encode_images(model.prepare(images)), model.encode_texts(*texts)
    # Which of an item's two texts is drawn differs; the pictures' mean does not.
    np.testing.assert_allclose(model.projection.mean1, CCA().fit(first, second).mean1, atol=1e-5)


def test_refinement_returns_to_the_best_weights_at_a_lower_rate():
    refine = Refine(patience=2, steps=2, multiplier=0.1, later_patience=1)
    config = TrainingConfig(epochs=30, batch_size=48, lr=0.02, optimizer="adam", schedule="refine", refine=refine)
    states = []
    _, history = train("unit", config, on_checkpoint=lambda state: states.append(copy.deepcopy(state)))
    rates = [record["lr"] for record in history]
    assert rates[0] == pytest.approx(0.02)
    assert len(history) < 30
    assert sorted(set(np.round(rates, 8)), reverse=True) == pytest.approx([0.02, 0.002, 0.0002])
    change = next(i for i, rate in enumerate(rates) if rate < 0.01)
    before = states[change - 1]
    for name, value in before["best"]["model"].items():
        torch.testing.assert_close(before["task"][f"model.{name}"], value, rtol=0, atol=0)


def test_refinement_counts_patience_and_steps():
    schedule = Refinement(0.2, patience=2, steps=1, multiplier=0.5, later_patience=1)
    assert [schedule.after_epoch({}, x) for x in (True, False, True, False)] == ["go on"] * 4
    assert schedule.lr == 0.2
    assert schedule.after_epoch({}, False) == "refine"
    assert schedule.lr == 0.1
    again = Refinement(0.2, patience=2, steps=1, multiplier=0.5, later_patience=1)
    again.load_state_dict(schedule.state_dict())
    assert again.lr == 0.1
    assert [again.after_epoch({}, True), again.after_epoch({}, False)] == ["go on", "end"]
    assert not again.diverged()


class Breaking(Objective):
    """Becomes infinite once, in the third epoch's first batch, or always."""

    broken = 0

    def __init__(self, terms: dict, times: int):
        super().__init__(terms)
        self.times = times

    def forward(self, batch):
        total, values = super().forward(batch)
        if self.training and self.step.epoch == 3 and self.broken < self.times:
            self.broken += 1
            total = total * float("inf")
        return total, values


@pytest.mark.parametrize("times", [1, 9])
def test_a_loss_that_is_not_finite_asks_for_a_refinement_at_once(times):
    data, vocabulary = pair_data()
    model, _ = model_and_objective(len(vocabulary))
    config = TrainingConfig(epochs=5, batch_size=48, optimizer="adam", schedule="refine", refine=Refine(steps=2))
    objective = Breaking({"pairwise_hinge": hinge(1, 0.5, True)}, times)
    if times == 9:
        with pytest.raises(FloatingPointError, match="epoch 3"):
            fit(model, objective, data, config, cpu())
    else:
        history = fit(model, objective, data, config, cpu())
        assert [record["lr"] for record in history] == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4, 1e-4])
