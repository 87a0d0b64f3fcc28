"""Losses on class targets: the reference's numbers, their formulas written with loops, and their gradients."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from kith import losses

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "hierarchy" / "losses.npz"
B, C, D = 5, 4, 3
LABELS = torch.tensor([0, 3, 1, 3, 2])


@pytest.fixture(scope="module")
def golden():
    if not GOLDEN.exists():
        pytest.skip(f"reference numbers are not there: {GOLDEN}")
    return {name: torch.from_numpy(array) for name, array in np.load(GOLDEN).items()}


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def rowwise(loss, *tensors: torch.Tensor) -> torch.Tensor:
    """The loss of each row alone."""
    return torch.stack([loss(*(x[i : i + 1] for x in tensors)) for i in range(len(tensors[0]))])


def close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_losses_on_class_embeddings_are_the_references(golden):
    classes, labels, features = golden["class_embeddings"], golden["labels"], golden["features"]
    targets, one_hot = classes[labels], torch.eye(10, dtype=torch.float64)[labels]
    for name, loss, goal in [
        ("inv_corr", losses.inv_corr, targets),
        ("unnorm_corr", losses.unnorm_corr, targets),
        ("softmax_corr_onehot", losses.softmax_corr, one_hot),
        ("mse", losses.mse, targets),
    ]:
        close(rowwise(loss, features, goal), golden[name])
        close(loss(features, goal), golden[name].mean())
    for margin in (0.1, 0.5):
        ours = rowwise(lambda f, y, margin=margin: losses.devise(f, y, classes, margin), features, labels)
        close(ours, golden[f"devise_margin{margin}"])


def test_classification_losses_are_the_references(golden):
    features, labels = golden["features"], golden["labels"]
    close(rowwise(lambda f, y: losses.center_loss(f, y, golden["centers"]), features, labels), golden["center_loss"])
    ours = rowwise(lambda f, y: losses.cross_entropy(f, y, 0.1), features, labels)
    torch.testing.assert_close(ours, golden["xent_smoothed"], rtol=1e-6, atol=0)  # its targets are float32
    expected = -(golden["label_smoothing_0.1"].double() * features.log_softmax(dim=1)).sum(dim=1)
    torch.testing.assert_close(ours, expected, rtol=1e-6, atol=0)


def test_label_embedding_is_the_references(golden):
    tensors = golden["le_out1"], golden["le_out2"], golden["le_target_rows"], golden["labels"]
    close(losses.label_embedding(*tensors), golden["label_embedding_loss"].mean())
    ours = losses.label_embedding(*tensors, temperature=1.0, threshold=0.5, weight=0.7)
    close(ours, golden["label_embedding_loss_tau1_alpha0.5_beta0.7"].mean())


def test_inv_corr_ignores_length_and_is_one_without_features():
    features, targets = normal(0, B, D), normal(1, B, D)
    close(losses.inv_corr(features, targets), losses.inv_corr(7 * features, targets))
    nothing = torch.zeros(B, D, requires_grad=True)
    loss = losses.inv_corr(nothing, targets.float())
    loss.backward()
    assert loss.item() == 1
    assert torch.isfinite(nothing.grad).all()


def test_devise_is_its_sum_over_the_other_classes():
    features, classes = normal(0, B, D), normal(1, C, D)
    expected = 0.0
    for f, y in zip(features, LABELS, strict=True):
        expected += sum(max(0.0, float(0.3 - f @ classes[y] + f @ classes[j])) for j in range(C) if j != y) / B
    assert losses.devise(features, LABELS, classes, 0.3).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.75])
def test_cross_entropy_is_its_formula(smoothing):
    logits = normal(0, B, C)
    expected = 0.0
    for row, y in zip(logits.tolist(), LABELS.tolist(), strict=True):
        total = math.log(sum(math.exp(x) for x in row))
        weights = [1 - smoothing if c == y else smoothing / (C - 1) for c in range(C)]
        expected -= sum(w * (x - total) for w, x in zip(weights, row, strict=True)) / B
    assert losses.cross_entropy(logits, LABELS, smoothing).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("smoothing", [-0.1, 0.76])
def test_smoothing_that_hides_the_class_is_refused(smoothing):
    with pytest.raises(ValueError, match="label smoothing"):
        losses.cross_entropy(normal(0, B, C), LABELS, smoothing)


@pytest.mark.parametrize(
    ("loss", "shapes"),
    [
        (losses.inv_corr, [(B, D), (B, D)]),
        (losses.unnorm_corr, [(B, D), (B, D)]),
        (losses.softmax_corr, [(B, D), (B, D)]),
        (losses.mse, [(B, D), (B, D)]),
        (lambda f, phi: losses.devise(f, LABELS, phi, 0.3), [(B, D), (C, D)]),
        (lambda x: losses.cross_entropy(x, LABELS, 0.2), [(B, C)]),
        (lambda f, centers: losses.center_loss(f, LABELS, centers), [(B, D), (C, D)]),
    ],
)
def test_gradients(loss, shapes):
    assert torch.autograd.gradcheck(loss, [normal(i, *shape).requires_grad_() for i, shape in enumerate(shapes)])


def label_embedding_inputs() -> list[torch.Tensor]:
    first, second, rows = (normal(i, B, C) for i in range(3))
    second[0, 0] = second[1, 3] = 6  # two right, and sure of it
    second[2, 0] = 6
    return [x.requires_grad_() for x in (first, second, rows)]


def test_label_embedding_gradients_stop_where_they_should():
    """Against a formula in which the stopped tensors are constants."""
    inputs = label_embedding_inputs()
    losses.label_embedding(*inputs, LABELS).backward()
    o1, o2, t = (x.detach().clone().requires_grad_() for x in inputs)
    soft, taught = t.detach().softmax(dim=1), (o2.detach() / 2).softmax(dim=1)
    right = [i for i in range(B) if o2[i].argmax() == LABELS[i]]
    assert 0 < len(right) < B
    loss = torch.zeros((), dtype=torch.float64)
    for i, y in enumerate(LABELS):
        loss = loss - 0.5 * o1[i].log_softmax(0)[y] - 0.5 * soft[i] @ o1[i].log_softmax(0) - o2[i].log_softmax(0)[y]
        if i in right:
            loss = loss - B / len(right) * taught[i] @ t[i].log_softmax(0)
        loss = loss + (o2[i].softmax(0)[y] - 0.9).clamp(min=0)
    (loss / B).backward()
    for ours, theirs in zip(inputs, (o1, o2, t), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-7, atol=1e-12)


def test_label_embedding_where_nothing_is_right_is_finite():
    first, second, rows = (x.detach() for x in label_embedding_inputs())
    wrong = (second.argmax(dim=1) + 1) % C
    assert torch.isfinite(losses.label_embedding(first, second, rows, wrong))
