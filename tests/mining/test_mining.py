"""Mining: the triplets and pairs of the reference selectors, of loops, and of another library."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from kith import losses, mining
from kith.errors import KithError
from kith.mining.distances import pairwise

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "metric_hashing"
PER_PAIR = ["hardest", "random", "semi_hard", "nearest_semi_hard", "distance_weighted"]


@pytest.fixture(scope="module")
def golden():
    if not GOLDEN.exists():
        pytest.skip(f"reference numbers are not there: {GOLDEN}")
    arrays = {name: torch.from_numpy(array) for name, array in np.load(GOLDEN / "batches.npz").items()}
    known = json.loads((GOLDEN / "losses.json").read_text())
    return known, {"A": ("XA", "yA"), "B": ("XB", "yB"), "N": ("XN", "yA")}, arrays


def batch_of(golden, tag):
    rows, labels = golden[1][tag]
    return golden[2][rows], golden[2][labels]


def random_batch(size=40, classes=5, dim=6, seed=0):
    random = torch.Generator().manual_seed(seed)
    rows = torch.randn(size, dim, generator=random, dtype=torch.float64)
    return rows / rows.norm(dim=1, keepdim=True), torch.randint(classes, (size,), generator=random)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def listed(triplets):
    return sorted(zip(*(each.tolist() for each in triplets[:3]), strict=True))


def loop(rows, labels, strategy, margin, distance="squared", ordered=False):
    """The sets of negatives that a strategy may take, by anchor and positive."""
    apart = pairwise(rows, distance=distance)
    sets = {}
    for a in range(len(rows)):
        for p in range(len(rows)):
            if labels[a] != labels[p] or a == p or (a > p and not ordered):
                continue
            others = [n for n in range(len(rows)) if labels[n] != labels[a]]
            violated = {n: float(apart[a, p] - apart[a, n]) + margin for n in others}
            within = [n for n in others if violated[n] > 0 and (strategy != "semi_hard" or violated[n] < margin)]
            if strategy == "hardest":
                within = within and [max(within, key=lambda n: violated[n])]
            if strategy == "all":
                within = others
            if within:
                sets[a, p] = within
    return sets


@pytest.mark.parametrize("tag", ["A", "B", "N"])
def test_triplets_are_those_of_the_reference_selectors(golden, tag):
    rows, labels = batch_of(golden, tag)
    for name, strategy, distance in [
        ("peer_hardest_squared", "hardest", "squared"),
        ("batch_hard_squared", "batch_hard", "squared"),
        ("batch_hard_euclid", "batch_hard", "euclidean"),
        ("tf_semihard_squared", "nearest_semi_hard", "squared"),
        ("tf_semihard_euclid", "nearest_semi_hard", "euclidean"),
    ]:
        known = golden[0][f"mined/{tag}/{name}"]
        ordered = strategy == "nearest_semi_hard"
        options = {"margin": known["margin"], "distance": distance, "ordered": ordered}
        for block in (5, 512):
            found = mining.mine_triplets(rows, labels, strategy, block=block, **options)
            assert listed(found) == sorted(map(tuple, known["triplets"])), name
        value = known.get("loss_mean", known.get("hinge_mean"))
        loss = losses.triplet_margin(rows, found, known["margin"], distance).item()
        assert loss == pytest.approx(value, rel=1e-9)
        if strategy == "batch_hard":
            soft = losses.soft_margin(rows, found, 0.0, distance).item()
            assert soft == pytest.approx(known["soft_margin_mean"], rel=1e-12)


@pytest.mark.parametrize("tag", ["A", "B", "N"])
@pytest.mark.parametrize("strategy", ["random", "semi_hard"])
def test_drawn_negatives_are_candidates_of_the_reference_selectors(golden, tag, strategy):
    rows, labels = batch_of(golden, tag)
    known = golden[0][f"mined/{tag}/peer_{strategy.replace('_', '')}_squared"]
    candidates = {tuple(map(int, pair.split(","))): set(each) for pair, each in known["candidates"].items()}
    for seed in range(10):
        found = mining.mine_triplets(rows, labels, strategy, margin=known["margin"], generator=seeded(seed), block=7)
        assert {(a, p) for a, p, _ in listed(found)} == set(candidates)
        assert all(n in candidates[a, p] for a, p, n in listed(found))
        assert len(found.anchor) == known["n_triplets"]


@pytest.mark.parametrize("strategy", ["random", "semi_hard"])
def test_draws_are_uniform(strategy):
    rows, labels = random_batch(30, 3, seed=3)
    sets = loop(rows, labels, strategy, 0.4)
    pair = max(sets, key=lambda pair: len(sets[pair]))
    assert len(sets[pair]) > 5
    counts = dict.fromkeys(sets[pair], 0)
    for seed in range(1500):
        found = mining.mine_triplets(rows, labels, strategy, margin=0.4, generator=seeded(seed))
        counts[next(n for a, p, n in listed(found) if (a, p) == pair)] += 1
    assert chisquare(list(counts.values())).pvalue > 0.001


def test_distance_weighted_draws_follow_their_weights():
    rows, labels = random_batch(25, 3, dim=5, seed=1)
    anchor, positive = next((a, p) for a in range(25) for p in range(a + 1, 25) if labels[a] == labels[p])
    apart = (rows[anchor] - rows).norm(dim=1)
    possible = [n for n in range(25) if labels[n] != labels[anchor] and apart[n] < 1.4]
    d = apart[possible].clamp(min=0.5)
    weights = 1 / (d ** (5 - 2) * (1 - d**2 / 4) ** ((5 - 3) / 2))
    counts = dict.fromkeys(possible, 0)
    for seed in range(1500):
        found = mining.mine_triplets(rows, labels, "distance_weighted", generator=seeded(seed))
        counts[next(n for a, p, n in listed(found) if (a, p) == (anchor, positive))] += 1
    expected = (weights / weights.sum() * 1500).numpy()
    assert expected.min() > 5
    assert chisquare(list(counts.values()), expected).pvalue > 0.001


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    size=st.integers(0, 30),
    classes=st.integers(1, 8),
    ordered=st.booleans(),
    distance=st.sampled_from(["squared", "euclidean", "product"]),
)
def test_triplets_are_those_of_loops(seed, size, classes, ordered, distance):
    rows, labels = random_batch(size, classes, seed=seed)
    for strategy in ("all", "hardest", "random", "semi_hard"):
        sets = loop(rows, labels, strategy, 0.3, distance, ordered)
        options = {"margin": 0.3, "distance": distance, "ordered": ordered, "generator": seeded(seed)}
        found = mining.mine_triplets(rows, labels, strategy, block=4, **options)
        assert {(a, p) for a, p, _ in listed(found)} == set(sets)
        assert all(n in sets[a, p] for a, p, n in listed(found))
        if strategy == "all":
            assert found.candidates == len(found.anchor) == sum(map(len, sets.values()))
        else:
            assert len(found.anchor) == len(sets)
            pairs = (labels[:, None] == labels).sum().item() - size
            assert found.candidates == (pairs if ordered else pairs // 2)
    counted = mining.violations(rows, labels, 0.3, distance, ordered, block=4)
    everything = mining.mine_triplets(rows, labels, "all", ordered=ordered)
    near, far = losses.triplet_distances(rows, everything, distance)
    assert counted.candidates == everything.candidates
    assert counted.active == (near - far + 0.3 > 0).sum()
    ours = losses.batch_all(rows, counted, 0.3, distance)
    torch.testing.assert_close(ours, losses.triplet_margin(rows, everything, 0.3, distance), atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("strategy", [*PER_PAIR, "all", "batch_hard", "batch_easy_hard"])
def test_where_there_is_nothing_to_find_the_loss_is_zero_with_gradients(strategy):
    for labels in (torch.zeros(6, dtype=torch.int64), torch.arange(6), torch.zeros(0, dtype=torch.int64)):
        rows = torch.randn(len(labels), 4, generator=seeded(), requires_grad=True)
        found = mining.mine_triplets(rows, labels, strategy, generator=seeded())
        assert len(found.anchor) == 0
        loss = losses.triplet_margin(rows, found) + losses.soft_margin(rows, found) + losses.hoffer_ailon(rows, found)
        assert loss.item() == 0
        loss.backward()
        assert torch.equal(rows.grad, torch.zeros_like(rows))


def test_a_margin_that_is_kept_leaves_nothing_to_mine():
    rows = torch.tensor([[0.0, 0], [0.1, 0], [9, 9], [9.1, 9]])
    for strategy in ("hardest", "random", "semi_hard"):
        found = mining.mine_triplets(rows, torch.tensor([0, 0, 1, 1]), strategy, margin=0.5)
        assert (len(found.anchor), found.candidates) == (0, 2)


def test_batch_miners_are_those_of_another_library():
    miners = pytest.importorskip("pytorch_metric_learning.miners")
    for seed in range(5):
        rows, labels = random_batch(40, 6, seed=seed)
        for strategy, miner in [
            ("batch_hard", miners.BatchHardMiner()),
            ("batch_easy_hard", miners.BatchEasyHardMiner(pos_strategy="easy", neg_strategy="hard")),
        ]:
            theirs = miner(rows, labels)
            if len(theirs) == 4:
                theirs = (theirs[0], theirs[1], theirs[3])
            assert listed(mining.mine_triplets(rows, labels, strategy, block=9)) == listed(theirs)


def test_the_same_generator_draws_the_same_and_blocks_do_not_matter():
    rows, labels = random_batch(60, 4)
    for strategy in PER_PAIR:
        found = [
            listed(mining.mine_triplets(rows, labels, strategy, margin=0.5, generator=seeded(7), block=block))
            for block in (60, 60, 7)
        ]
        assert found[0] == found[1] == found[2]
    draws = [listed(mining.mine_triplets(rows, labels, "random", generator=seeded(seed))) for seed in (1, 2)]
    assert draws[0] != draws[1]


def test_a_bank_gives_positives_and_negatives_and_no_anchors():
    rows, labels = random_batch(12, 3)
    older, their_labels = random_batch(20, 3, seed=5)
    pool = torch.cat([rows, older])
    found = mining.mine_triplets(rows, labels, "hardest", margin=0.3, bank=(older, their_labels))
    whole = loop(pool, torch.cat([labels, their_labels]), "hardest", 0.3)
    assert listed(found) == sorted((a, p, n) for (a, p), (n,) in whole.items() if a < 12)
    rows.requires_grad_()
    losses.triplet_margin(rows, found, 0.3, pool=torch.cat([rows, older])).backward()
    assert rows.grad.abs().sum() > 0


def test_the_bank_forgets_the_oldest():
    bank = mining.MemoryBank(5, 2)
    assert len(bank.rows()[1]) == 0
    for start in (0, 3, 6):
        labels = torch.arange(start, start + 3)
        bank.add(labels[:, None].expand(3, 2).float(), labels)
    rows, labels = bank.rows()
    assert sorted(labels.tolist()) == [4, 5, 6, 7, 8]
    assert torch.equal(rows[:, 0], labels.float())
    again = mining.MemoryBank(5, 2)
    again.load_state_dict(bank.state_dict())
    again.add(torch.zeros(1, 2), torch.tensor([99]))
    assert sorted(again.rows()[1].tolist()) == [5, 6, 7, 8, 99]
    bank.add(torch.zeros(7, 2), torch.arange(7))  # more than it holds
    assert sorted(bank.rows()[1].tolist()) == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("tag", ["A", "B", "N"])
def test_hardest_pairs_are_the_references(golden, tag):
    rows, labels = batch_of(golden, tag)
    known = golden[0][f"contrastive/{tag}/online_hardneg_mean_m1"]
    for block in (7, 512):
        pairs = mining.hardest_pairs(rows, labels, block)
        found = sorted((i, j) for i, j, same in listed(pairs) if not same)
        assert found == sorted(map(tuple, known["neg_pairs"]))
        assert pairs.same.sum() == known["n_pos"]
    assert losses.contrastive_pairs(rows, pairs).item() == pytest.approx(known["value"], rel=1e-12)


def test_pairs_are_balanced_different_and_uniform():
    _, labels = random_batch(20, 4)
    positive = {(i, j) for i in range(20) for j in range(i + 1, 20) if labels[i] == labels[j]}
    negative = {(i, j) for i in range(20) for j in range(i + 1, 20) if labels[i] != labels[j]}
    counts = dict.fromkeys(negative, 0)
    for seed in range(600):
        pairs = mining.balanced_pairs(labels, seeded(seed))
        both = [[(i, j) for i, j, s in listed(pairs) if s == same] for same in (True, False)]
        assert set(both[0]) == positive
        assert len(both[0]) == len(both[1]) == len(set(both[1])) == len(positive)
        for pair in both[1]:
            counts[pair] += 1
    # Without replacement the counts vary less than chi-square allows.
    assert chisquare(list(counts.values())).pvalue > 0.001
    everything = mining.all_pairs(labels)
    assert {(i, j) for i, j, same in listed(everything) if same} == positive
    assert len(everything.first) == 190


def test_where_negatives_are_fewer_than_positives_all_are_taken():
    labels = torch.tensor([0, 0, 0, 0, 1])
    rows = torch.randn(5, 3, generator=seeded())
    for pairs in (mining.balanced_pairs(labels, seeded()), mining.hardest_pairs(rows, labels)):
        assert [(i, j) for i, j, same in listed(pairs) if not same] == [(0, 4), (1, 4), (2, 4), (3, 4)]
    for pairs in (mining.balanced_pairs(labels[:4], seeded()), mining.hardest_pairs(rows[:4], labels[:4], 2)):
        assert pairs.same.all()
        assert len(pairs.same) == 6


def test_two_of_each_class():
    labels = torch.tensor([3, 1, 3, 2, 1, 3])
    seen = set()
    for seed in range(40):
        first, second = mining.class_pairs(labels, seeded(seed))
        assert labels[first].tolist() == labels[second].tolist() == [1, 3]
        assert (first != second).all()
        seen |= set(zip(first.tolist(), second.tolist(), strict=True))
    assert seen == {(1, 4), (4, 1)} | {(i, j) for i in (0, 2, 5) for j in (0, 2, 5) if i != j}


def test_faults_are_named():
    rows, labels = random_batch(10)
    with pytest.raises(ValueError, match="no mining 'hard'; there are all, hardest"):
        mining.mine_triplets(rows, labels, "hard")
    with pytest.raises(KithError, match=r"\d+ triplets in a batch of 1000 are too many"):
        mining.mine_triplets(torch.zeros(1000, 1), torch.arange(1000) % 2, "all")
    with pytest.raises(ValueError, match="no distance 'cosine'"):
        mining.mine_triplets(rows, labels, "hardest", distance="cosine")


@pytest.mark.parametrize("strategy", [*PER_PAIR, "all", "batch_hard", "batch_easy_hard"])
def test_rows_that_are_not_finite_or_have_no_label_are_refused(strategy):
    """Comparisons with NaN are false: mining would find nothing, and the loss would be 0."""
    rows, labels = random_batch()
    spoiled = rows.clone()
    spoiled[7, 2] = float("nan")
    with pytest.raises(ValueError, match=r"embeddings: row 7 is not finite \(1 such rows\)"):
        mining.mine_triplets(spoiled, labels, strategy)
    with pytest.raises(ValueError, match="the bank: row 7 is not finite"):
        mining.mine_triplets(rows, labels, strategy, bank=(spoiled, labels))
    with pytest.raises(ValueError, match="40 rows of embeddings, but 47 labels"):
        mining.mine_triplets(rows, torch.cat([labels, labels[:7]]), strategy)


def test_pairs_of_rows_that_are_not_finite_are_refused():
    rows, labels = random_batch()
    with pytest.raises(ValueError, match="row 0 is not finite"):
        mining.hardest_pairs(rows / 0, labels)


def test_distances_to_nan_are_nan():
    rows = torch.tensor([[0.0], [float("nan")]])
    assert pairwise(rows, distance="euclidean").isnan().tolist() == [[False, True], [True, True]]


@pytest.mark.parametrize("distance", ["squared", "euclidean"])
def test_distances_far_from_the_origin_keep_their_digits(distance):
    rows = torch.randn(40, 6, generator=seeded()) * 0.1
    exact = pairwise(rows.double(), distance=distance)
    torch.testing.assert_close(pairwise(rows + 1000, distance=distance).double(), exact, rtol=0, atol=2e-3)
    near = rows[:20] / 10
    assert torch.equal(pairwise(near, distance="product"), -near @ near.T / 2)
    labels = torch.arange(40) % 4
    far, here = (mining.mine_triplets(each, labels, "hardest", margin=0.01) for each in (rows + 1000, rows))
    assert abs(len(far.anchor) - len(here.anchor)) <= 2


@pytest.mark.parametrize("distance", ["squared", "euclidean", "product"])
def test_autocast_changes_nothing_of_what_is_mined(distance):
    """It would round distances to 8 bits, in a type that NumPy does not have."""
    rows, labels = random_batch()
    rows = rows.float()

    def mined():
        found = [mining.mine_triplets(rows, labels, each, distance=distance, generator=draws()) for each in strategies]
        return [found, mining.violations(rows, labels, 0.3, distance)[1:], mining.hardest_pairs(rows, labels)]

    def draws():
        return torch.Generator().manual_seed(0)

    strategies = [*PER_PAIR, "batch_hard", "batch_easy_hard"]
    plain = mined()
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(mined(), plain, rtol=0, atol=0)
