"""Two samples told apart, and the sentence that follows from them."""

import numpy as np
import pytest

from kith.drift import judged
from kith.drift.judged import Comparison, Judgement, SampleRows, judge
from kith.drift.samples import _discrepancies, more_often, told_apart


def unit(random, n: int, shift: float = 0.0) -> np.ndarray:
    rows = random.normal(size=(n, 6)).astype(np.float32)
    rows[:, 0] += shift
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def sample(
    seed: int, n: int, shift: float = 0.0, similarity: float = 0.5, unknown: float = 0.1, labels=()
) -> SampleRows:
    random = np.random.default_rng(seed)
    vectors = {"image": unit(random, n, shift), "text": unit(random, n)}
    pairs = random.normal(similarity, 0.1, n)
    return SampleRows(vectors, pairs, random.random(n) < unknown, list(labels))


def test_the_discrepancy_is_that_of_the_definition():
    random = np.random.default_rng(0)
    first, second = random.normal(size=(5, 3)), random.normal(size=(7, 3)) + 1
    every = np.concatenate([first, second])
    distances = np.array([[((x - y) ** 2).sum() for y in every] for x in every])
    kernel = np.exp(-distances / np.median(distances))
    n = len(first)
    within = kernel[:n, :n].mean() + kernel[n:, n:].mean()
    expected = within - 2 * kernel[:n, n:].mean()
    np.testing.assert_allclose(_discrepancies(kernel, (np.arange(12) < n)[None]), [expected])


def test_the_p_of_equal_samples_is_uniform():
    found = [told_apart(unit(r := np.random.default_rng(seed), 30), unit(r, 40), seed).p for seed in range(40)]
    assert 0.02 <= np.mean(np.array(found) < 0.2) <= 0.45
    assert min(found) >= 0.001


def test_areas_are_half_by_chance_and_one_where_nothing_is_shared():
    random = np.random.default_rng(3)
    areas = [told_apart(unit(random, 40), unit(random, 60)).auc for _ in range(20)]
    assert abs(np.mean(areas) - 0.5) < 0.05
    assert told_apart(unit(random, 40, 9.0), unit(random, 60, -9.0)) == (1.0, 0.001)
    same = np.ones((20, 3))
    assert told_apart(same, same) == (0.5, 1.0)


def test_shares_are_compared_exactly():
    assert more_often(3, 3, 0, 3) == pytest.approx(1 / 20)


def test_rows_of_the_same_kind_need_no_training():
    found = judge(sample(0, 300), sample(1, 400), sample(2, 1000))
    assert not found.again
    assert found.sentence.startswith("no need")
    assert len(found.measured) == 6


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"shift": 2.5}, "can be told from those held out"),
        ({"similarity": 0.3}, "lie farther from their own pictures"),
        ({"unknown": 0.5}, "have words that the model does not know"),
        ({"labels": ["a", "b", "new"] * 50}, "50 new rows are of 1 class that the model does not know (new)"),
    ],
)
def test_what_changed_is_the_reason(changed, reason):
    found = judge(sample(0, 300, **changed), sample(1, 400), sample(2, 1000), classes=["a", "b"])
    assert found.again
    assert found.sentence.startswith("train again: ")
    assert reason in found.sentence


def test_few_rows_in_a_place_of_their_own_are_seen():
    new = sample(0, 300)
    new.vectors["image"][:40] = [0, 0, 0, 0, 0, 1]
    held_out, trained = sample(1, 400), sample(2, 1000)
    for each in (held_out, trained):
        rows = each.vectors["image"]
        rows[:, 5] = -np.abs(rows[:, 5])
    found = judge(new, held_out, trained)
    assert "farther from all trained pictures" in found.sentence


def test_a_label_counts_only_where_the_model_knows_classes():
    assert not judge(sample(0, 300, labels=["new"] * 300), sample(1, 400), sample(2, 1000)).again
    rare = ["a"] * 299 + ["new"]
    assert not judge(sample(0, 300, labels=rare), sample(1, 400), sample(2, 1000), classes=["a"]).again


def test_too_few_rows_say_nothing():
    few = judged.LEAST - 1
    assert judge(sample(0, few), sample(1, 400), sample(2, 1000)).measured == []


def test_the_more_comparisons_the_smaller_a_p_has_to_be():
    given = [Comparison(str(p), "", "", p, True, f"of {p}") for p in (0.004, 0.001, None, 0.6, 0.009, 0.003)]
    found = Judgement(judged._together(given))
    # Holm's: 5 · .001, 4 · .003, 3 · .004, 2 · .009, .6, none less than one before it.
    assert [each.p for each in found.measured] == pytest.approx([0.012, 0.005, None, 0.6, 0.018, 0.012])
    assert found.sentence == "train again: of 0.001; of None."
    alone = Judgement(judged._together([given[0]]))
    assert (alone.again, alone.measured[0].p) == (True, 0.004)


def test_of_rows_of_one_distribution_one_check_of_a_hundred_finds_a_difference_at_most():
    random = np.random.default_rng(0)
    alarms = 0
    for _ in range(600):
        pairs, unknown = random.normal(size=160), random.random(160) < 0.1
        new, held_out = (SampleRows({}, pairs[part], unknown[part]) for part in (slice(40), slice(40, None)))
        alarms += judge(new, held_out, SampleRows({})).again
    assert alarms <= 12  # 6 are expected at most; more than twice as many come by chance once in a hundred
