"""Losses of pairs, triplets, N-pairs and hashing: the reference's numbers and gradients, and another library's."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from kith import losses, mining
from kith.errors import KithError
from kith.losses.dtsh import doubling
from kith.mining.distances import paired, pairwise

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "metric_hashing"


@pytest.fixture(scope="module")
def golden():
    if not GOLDEN.exists():
        pytest.skip(f"reference numbers are not there: {GOLDEN}")
    batches = {name: torch.from_numpy(array) for name, array in np.load(GOLDEN / "batches.npz").items()}
    gradients = {name: torch.from_numpy(array) for name, array in np.load(GOLDEN / "grads.npz").items()}
    return json.loads((GOLDEN / "losses.json").read_text()), batches, gradients


@pytest.fixture(params=["A", "B", "N"])
def tagged(golden, request):
    """Numbers, gradients, rows, labels and the margin of a batch."""
    known, batches, gradients = golden
    rows, labels = {"A": ("XA", "yA"), "B": ("XB", "yB"), "N": ("XN", "yA")}[request.param]
    here = {name.replace(f"/{request.param}/", "/"): value for name, value in known.items()}
    slopes = {name.removesuffix(f"_{request.param}"): value for name, value in gradients.items()}
    margin = known[f"triplet/{request.param}/all_squared_mean"]["margin"]
    return here, slopes, batches[rows].clone().requires_grad_(), batches[labels], margin


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def check(loss, value, rows=None, gradient=None):
    assert loss.item() == pytest.approx(value, rel=1e-10)
    if gradient is not None:
        (slope,) = torch.autograd.grad(loss, rows)
        torch.testing.assert_close(slope, gradient, rtol=1e-9, atol=1e-12)


def test_contrastive_is_the_references(tagged):
    known, slopes, rows, labels, _ = tagged
    pairs = mining.all_pairs(labels)
    offline = losses.contrastive(rows[pairs.first], rows[pairs.second], pairs.same)
    check(offline, known["contrastive/hadsell_half_allpairs_mean_m1"]["value"], rows, slopes["contrastive_peer"])
    for loss in (losses.contrastive_pairs(rows, pairs), losses.contrastive_all(rows, labels)[0]):
        check(loss, known["contrastive/online_allpairs_mean_m1"]["value"])


@pytest.mark.parametrize(("distance", "short"), [("squared", "squared"), ("euclidean", "euclid")])
def test_triplet_margin_is_the_references(tagged, distance, short):
    known, slopes, rows, labels, margin = tagged
    expected, gradient = known[f"triplet/batch_all_{short}"], slopes[f"triplet_{short}"]
    everything = mining.mine_triplets(rows, labels, "all", ordered=True)
    assert everything.candidates == expected["n"]
    check(losses.triplet_margin(rows, everything, margin, distance), expected["mean"], rows, gradient)
    active = losses.triplet_margin(rows, everything, margin, distance, "active")
    check(active, expected["avg_nonzero"])
    counted = mining.violations(rows, labels, margin, distance, ordered=True)
    check(losses.batch_all(rows, counted, margin, distance), expected["mean"], rows, gradient)
    check(losses.batch_all(rows, counted, margin, distance, "active"), expected["avg_nonzero"])
    # torch's softplus, which the numbers are of, is x above 20.
    soft = losses.soft_margin(rows, everything, 0.0, distance)
    assert soft.item() == pytest.approx(expected["softplus_mean"], rel=1e-8)
    if distance == "squared":
        each = mining.mine_triplets(rows, labels, "all")
        check(losses.triplet_margin(rows, each, margin), known["triplet/all_squared_mean"]["value"])
    else:
        theirs = known["triplet/torch_TripletMarginLoss_mean"]["value"]
        assert losses.triplet_margin(rows, everything, margin, distance).item() == pytest.approx(theirs, abs=1e-6)


def test_hoffer_ailon_is_the_references(tagged):
    known, slopes, rows, labels, _ = tagged
    everything = mining.mine_triplets(rows, labels, "all", ordered=True)
    expected = known["hoffer_ailon/all_ordered"]
    check(losses.hoffer_ailon(rows, everything), expected["mean_dplus_sq"], rows, slopes["hoffer"])
    check(losses.hoffer_ailon(rows, everything, "norm"), expected["paper_norm_mean"])


@pytest.mark.parametrize(("margin", "weight"), [(5, 1), (8, 0.1)])
def test_dtsh_is_the_references_in_each_form(golden, margin, weight):
    known, batches, slopes = golden
    rows, labels = batches["U"].clone().requires_grad_(), batches["yA"]
    name = f"alpha{margin}_lambda{weight}"
    each, both = (mining.mine_triplets(rows, labels, "all", ordered=ordered) for ordered in (False, True))
    check(losses.dtsh(rows, both, margin, weight), known[f"dtsh/paper_mean/{name}"]["value"])
    summed = losses.dtsh(rows, each, margin, weight, "sum")
    check(summed, known[f"dtsh/seed_sum/{name}"]["value"], rows, slopes[f"dtsh_seed_{margin}_{weight}"])
    # There each output is one of its own positives.
    own = [(i, i, n) for i in range(len(labels)) for n in range(len(labels)) if labels[i] != labels[n]]
    more = [torch.cat([a, b]) for a, b in zip(both[:3], torch.tensor(own).T, strict=True)]
    means = losses.dtsh(rows, more, margin, weight, "anchors")
    check(means, known[f"dtsh/swuxyj/{name}"]["value"], rows, slopes[f"dtsh_swuxyj_{margin}_{weight}"])


def test_dtsh_of_large_outputs_is_finite(golden):
    known, batches, _ = golden
    each = mining.mine_triplets(batches["U"], batches["yA"], "all")
    stable = known["dtsh/overflow_U20_alpha8_lambda0"]["stable_sum"]
    check(losses.dtsh(20 * batches["U"], each, 8, 0, "sum"), stable)
    rows = (200 * batches["U"]).float().requires_grad_()
    losses.dtsh(rows, each, 8, 1.0, "sum").backward()
    assert torch.isfinite(rows.grad).all()


def test_the_sign_of_zero_is_one():
    outputs = torch.tensor([[0.0, -2.0], [1.0, -1.0]])
    assert losses.quantization_errors(outputs).tolist() == [2.0, 0.0]


def test_npairs_are_their_formula_and_another_librarys():
    rows, labels = normal(0, 12, 5), torch.arange(12) % 6
    first, second = torch.arange(6), torch.arange(6, 12)
    a, p = rows[first], rows[second]
    expected = sum(
        float(torch.log(1 + sum((a[i] @ p[j] - a[i] @ p[i]).exp() for j in range(6) if j != i))) / 6 for i in range(6)
    )
    assert losses.npairs(a, p, labels[first]).item() == pytest.approx(expected, rel=1e-12)
    theirs = pytest.importorskip("pytorch_metric_learning.losses").NPairsLoss()
    theirs.distance.normalize_embeddings = False
    assert losses.npairs(a, p, labels[first]).item() == pytest.approx(theirs(rows, labels).item(), rel=1e-9)
    lengths = float((a.square() + p.square()).sum()) / 12
    assert losses.npairs(a, p, labels[first], 0.5).item() == pytest.approx(expected + lengths / 2, rel=1e-12)
    # Two pairs of one class are no negatives of one another.
    twice = [torch.cat([x, x]) for x in (a[:2], p[:2], labels[:2])]
    assert losses.npairs(*twice).item() < losses.npairs(twice[0], twice[1], torch.arange(4)).item()


def test_angular_npairs_look_at_other_classes_and_no_lengths():
    a, p, labels = normal(1, 4, 5), normal(2, 4, 5), torch.tensor([0, 1, 0, 2])
    unit = [x / x.norm(dim=1, keepdim=True) for x in (a, p)]
    expected = losses.angular(*unit, unit[1], labels[:, None] != labels, 36.0).item()
    assert losses.angular_npairs(7 * a, p, labels, 36.0).item() == pytest.approx(expected, rel=1e-12)


def test_few_triplets_are_as_many():
    """They take another way to their distances."""
    rows, labels = normal(0, 200, 4).requires_grad_(), torch.arange(200) % 8
    each = mining.mine_triplets(rows, labels, "batch_hard")
    often = [index.repeat(5) for index in each[:3]]
    for distance in ("squared", "euclidean", "product"):
        few, many = (losses.triplet_margin(rows, t, 0.5, distance) for t in (each, often))
        torch.testing.assert_close(few, many, rtol=1e-12, atol=0)
        torch.testing.assert_close(*(torch.autograd.grad(loss, rows)[0] for loss in (few, many)))


def all_pairs_by_hand(rows, same, margin):
    """The contrastive loss of all pairs and the number that counts, by autograd; equal rows have no gradient."""
    first, second = torch.triu_indices(len(rows), len(rows), 1)
    squared = (rows[first] - rows[second]).square().sum(dim=1)
    distance = torch.where(squared > 0, torch.where(squared > 0, squared, 1).sqrt(), 0)
    together = same[first, second]
    values = torch.where(together, squared, (margin - distance).clamp(min=0).square())
    return values.sum() / max(1, len(values)), int((together | (squared < margin**2)).sum())


@pytest.mark.parametrize("sets", [False, True])
@pytest.mark.parametrize(
    ("size", "per_class", "margin"),
    [
        (1, 1, 1.0),
        (2, 1, 0.1),
        (9, 4, 1.0),
        (300, 4, 0.3),
        (600, 4, 0.01),
        (600, 2, 3.0),
        (520, 130, 0.5),
        (300, 300, 1),
    ],
)
def test_all_pairs_of_a_batch_are_those_of_loops(size, per_class, margin, sets):
    """Few that count are listed, many are not; blocks end within; of two equal rows each is one of two classes."""
    rows, labels = normal(4, size, 5), torch.arange(size) // per_class
    rows = rows / rows.norm(dim=1, keepdim=True) + 0.3
    if size > 8:
        rows[[5, 7]] = rows[3].clone()
    if sets:
        labels = torch.nn.functional.one_hot(torch.stack([labels % 7, labels % 5 + 7], dim=1), 12).sum(dim=1)
    given = [rows.clone().requires_grad_() for _ in range(3)]
    expected, active = all_pairs_by_hand(given[0], mining.alike(labels), margin)
    found, statistics = losses.contrastive_all(given[1], labels, margin)
    listed = losses.contrastive_pairs(given[2], mining.all_pairs(labels), margin)
    for loss, x in [(found, given[1]), (listed, given[2])]:
        # Of equal rows a matrix product leaves d² = 1e-17, and of its root 3e-9.
        torch.testing.assert_close(loss, expected, rtol=1e-8, atol=0)
        torch.testing.assert_close(
            torch.autograd.grad(loss, x)[0],
            torch.autograd.grad(expected, given[0], retain_graph=True)[0],
            rtol=1e-8,
            atol=1e-8,
        )
    assert statistics == (active, size * (size - 1) // 2)


def test_pairs_and_triplets_on_other_devices_are_the_same(monkeypatch):
    """There nothing is listed, and NumPy has no part in it."""
    rows, labels = normal(5, 300, 4).requires_grad_(), torch.arange(300) // 3

    def found():
        values = [losses.contrastive_all(rows, labels, 0.3)[0], losses.contrastive_pairs(rows, pairs, 0.3)]
        gradients = [torch.autograd.grad(value, rows)[0] for value in values]
        triplets = mining.mine_triplets(rows.detach(), labels, "batch_hard")[:3]
        return values + gradients + [*triplets, *mining.hardest_pairs(rows.detach(), labels)]

    pairs = mining.balanced_pairs(labels, torch.Generator().manual_seed(0))
    here = found()
    monkeypatch.setattr(mining.passes, "by_numpy", lambda table: False)
    for one, other in zip(here, found(), strict=True):
        torch.testing.assert_close(one, other)


def test_losses_of_pairs_and_triplets_can_be_compiled():
    """A compiler does not know NumPy's copies by a mask."""
    rows, labels = normal(5, 40, 4).requires_grad_(), torch.arange(40) // 3
    pairs = mining.all_pairs(labels)
    for loss in [
        lambda x: losses.contrastive_all(x, labels, 2.0)[0],
        lambda x: losses.contrastive_pairs(x, pairs, 2.0),
        lambda x: losses.triplet_margin(x, mining.mine_triplets(x, labels, "batch_hard")),
        lambda x: losses.npairs(x[::2], x[1::2]),
    ]:
        torch.compiler.reset()
        values = [loss(rows), torch.compile(loss, backend="eager")(rows)]
        torch.testing.assert_close(*values)
        torch.testing.assert_close(*(torch.autograd.grad(value, rows)[0] for value in values))


@pytest.mark.parametrize("labels", [0, 1, 255, 301])
def test_every_row_has_its_label(labels):
    """One alone would be taken for that of all rows."""
    with pytest.raises(ValueError, match=f"300 rows of embeddings, but {labels} labels"):
        losses.contrastive_all(normal(0, 300, 4), torch.zeros(labels))


@pytest.mark.parametrize("labels", [None, torch.arange(5)])
@pytest.mark.parametrize("shape", [(3, 4), (6, 4), (5, 3)])
def test_every_anchor_has_its_positive(shape, labels):
    with pytest.raises(ValueError, match=r"anchors of the shape \(5, 4\), but positives of"):
        losses.npairs(normal(0, 5, 4), normal(0, *shape), labels)


@pytest.mark.parametrize("mode", ["all", "random", "hardest"])
def test_the_contrastive_loss_counts_what_it_has_looked_at(mode):
    rows, labels = normal(4, 60, 5), torch.arange(60) // 4
    options = losses.LOSSES["contrastive"].options_type()(mining=mode, margin=2.0)
    random = [torch.Generator().manual_seed(0) for _ in range(2)]
    value, found = losses.LOSSES["contrastive"](options).of_rows(rows, labels, losses.TrainingStep(random[0]))
    pairs = {
        "all": lambda: mining.all_pairs(labels),
        "random": lambda: mining.balanced_pairs(labels, random[1]),
        "hardest": lambda: mining.hardest_pairs(rows, labels),
    }[mode]()
    squared = (rows[pairs.first] - rows[pairs.second]).square().sum(dim=1)
    assert found == (int((pairs.same | (squared < 4)).sum()), len(squared))
    expected = torch.where(pairs.same, squared, (2 - squared.sqrt()).clamp(min=0).square()).mean()
    torch.testing.assert_close(value, expected)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_row_that_is_not_finite_spoils_the_loss_of_pairs(bad):
    """Else a training that has gone astray would go on as if there were nothing to learn."""
    rows = normal(4, 300, 5)
    rows[7, 2] = bad
    rows.requires_grad_()
    labels = torch.arange(300)
    few = [torch.tensor(each) for each in ([7], [8], [False])]
    for loss in [
        losses.contrastive_all(rows, labels)[0],
        losses.contrastive_pairs(rows, mining.all_pairs(labels)),
        losses.contrastive_pairs(rows, few),
    ]:
        assert not loss.isfinite()
        assert not torch.autograd.grad(loss, rows)[0].isfinite().all()


def test_few_pairs_are_as_many():
    """They take another way to their distances."""
    rows, labels = normal(0, 200, 4).requires_grad_(), torch.arange(200) % 50
    each = mining.balanced_pairs(labels, torch.Generator().manual_seed(0))
    often = [index.repeat(3) for index in each]
    few, many = (losses.contrastive_pairs(rows, pairs, 1.5) for pairs in (each, often))
    torch.testing.assert_close(few, many, rtol=1e-12, atol=0)
    torch.testing.assert_close(*(torch.autograd.grad(loss, rows)[0] for loss in (few, many)))


def test_gradients():
    labels = torch.tensor([0, 1, 0, 1, 2, 2])
    rows = normal(0, 6, 3).requires_grad_()
    triplets, pairs = mining.mine_triplets(rows, labels, "all", ordered=True), mining.all_pairs(labels)
    for loss in [
        lambda x: losses.contrastive(x[pairs.first], x[pairs.second], pairs.same, 1.7),
        lambda x: losses.contrastive_pairs(x, pairs, 1.7),
        lambda x: losses.contrastive_all(x, labels, 1.7)[0],
        lambda x: losses.triplet_margin(x, triplets, 0.7),
        lambda x: losses.triplet_margin(x, triplets, 0.7, "euclidean", "active"),
        lambda x: losses.soft_margin(x, triplets),
        lambda x: losses.hoffer_ailon(x, triplets),
        lambda x: losses.dtsh(x, triplets, 2.0, 0.3),
        lambda x: losses.dtsh(x, triplets, 2.0, 0.3, "anchors"),
        lambda x: losses.npairs(x[::2], x[1::2], labels[::2], 0.1),
        lambda x: losses.npairs(x[::2], x[1::2]),
        lambda x: losses.angular_npairs(x[::2], x[1::2], labels[::2]),
    ]:
        assert torch.autograd.gradcheck(loss, [rows])


@pytest.mark.parametrize("distance", ["squared", "euclidean", "product"])
def test_distances_are_those_of_loops_and_equal_rows_have_finite_gradients(distance):
    rows, others = normal(0, 5, 3), normal(1, 4, 3)
    found = pairwise(rows, others, distance)
    for i, x in enumerate(rows):
        for j, y in enumerate(others):
            ways = {"squared": (x - y) @ (x - y), "euclidean": (x - y).norm(), "product": -(x @ y) / 2}
            assert found[i, j].item() == pytest.approx(ways[distance].item(), rel=1e-9)
            assert paired(x[None], y[None], distance).item() == pytest.approx(ways[distance].item(), rel=1e-12)
    same = torch.ones(3, 2, requires_grad=True)
    (pairwise(same, distance=distance).sum() + paired(same, same, distance).sum()).backward()
    assert torch.isfinite(same.grad).all()


def test_nothing_to_compare_is_zero_with_gradients():
    rows = torch.ones(3, 4, requires_grad=True)
    nothing = torch.zeros(0, dtype=torch.int64)
    pairs = mining.Pairs(nothing, nothing, nothing.bool())
    loss = losses.contrastive_pairs(rows, pairs) + losses.npairs(rows[:0], rows[:0], nothing)
    loss = loss + losses.angular_npairs(rows[:0], rows[:0], nothing)
    loss = loss + losses.contrastive(rows[:0], rows[:0], nothing.bool())
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(rows.grad, torch.zeros_like(rows))


def test_schedules_double_up_to_their_value():
    values = [doubling(epoch, 10, 16.0) for epoch in range(10)]
    assert values == [1, 1, 2, 2, 4, 4, 8, 8, 16, 16]
    assert [doubling(epoch, 2, 8.0) for epoch in (0, 1, 7)] == [0.5, 2.0, 8.0]


@pytest.mark.parametrize(
    ("name", "options", "weights"),
    [
        ("ProxyAnchor", {"alpha": 16}, (4, 5)),
        ("MultiSimilarityLoss", {}, None),
        ("SupCon", {"temperature": 0.2}, None),
        ("NTXent", {}, None),
        ("ArcFace", {"scale": 16}, (5, 4)),
    ],
)
def test_losses_of_the_library_by_name(name, options, weights):
    theirs = pytest.importorskip("pytorch_metric_learning.losses")
    torch.manual_seed(0)
    ours = losses.library_loss(name, options, dim=5, classes=4)
    assert [tuple(weight.shape) for weight in ours.parameters()] == ([] if weights is None else [weights])
    torch.manual_seed(0)
    sizes = {} if weights is None else {"num_classes": 4, "embedding_size": 5}
    same = getattr(theirs, f"{name.removesuffix('Loss')}Loss")(**options, **sizes)
    rows, labels = normal(0, 8, 5).float().requires_grad_(), torch.arange(8) % 4
    loss = ours(rows, labels)
    torch.testing.assert_close(loss, same(rows, labels))
    loss.backward()
    assert torch.isfinite(rows.grad).all()


def test_faults_of_library_losses_are_named(monkeypatch):
    pytest.importorskip("pytorch_metric_learning")
    with pytest.raises(KithError, match="no loss 'Magic'; there are Angular, ArcFace"):
        losses.library_loss("Magic")
    with pytest.raises(KithError, match=r"SupCon does not take .*it has temperature"):
        losses.library_loss("SupCon", {"heat": 1})
    monkeypatch.setitem(sys.modules, "pytorch_metric_learning", None)
    with pytest.raises(KithError, match=r"cannot be imported .* pip install"):
        losses.library_loss("SupCon")


def test_tuples_that_were_drawn_before_are_compared_one_by_one():
    rows, labels = normal(3, 6, 4), torch.tensor([1, 1, 0, 0, 0, 1])
    step, given = losses.TrainingStep(), {"mining": "given", "normalize": False, "margin": 2.0}
    loss = losses.LOSSES["contrastive"](losses.LOSSES["contrastive"].options_type()(**given))
    value, found = loss.of_rows(rows, labels, step)
    squared = [(rows[i] - rows[i + 1]).square().sum() for i in (0, 2, 4)]
    apart = max(0.0, 2 - float(squared[2] + 1e-9) ** 0.5) ** 2
    assert float(value) == pytest.approx((float(squared[0] + squared[1]) + apart) / 6)
    assert found.candidates == 3
    loss = losses.LOSSES["triplet"](losses.LOSSES["triplet"].options_type()(**given))
    near, far = [(rows[a] - rows[p]).square().sum() for a, p in ((0, 1), (3, 4))], [(0, 2), (3, 5)]
    wrong = [max(0.0, float(n - (rows[a] - rows[b]).square().sum()) + 2) for n, (a, b) in zip(near, far, strict=True)]
    assert float(loss.of_rows(rows, labels, step)[0]) == pytest.approx(sum(wrong) / 2)
    # Validation batches are of no tuples: as many pairs of both kinds, and all triplets.
    everything = losses.triplet_margin(rows[:5], mining.mine_triplets(rows[:5], labels[:5], "all"), margin=2.0)
    assert float(loss.eval().of_rows(rows[:5], labels[:5], step)[0]) == pytest.approx(float(everything))
    for bad in (labels[:5], labels.roll(1)):
        with pytest.raises(ValueError, match=r"train\.sampler"):
            loss.train().of_rows(rows[: len(bad)], bad, step)
