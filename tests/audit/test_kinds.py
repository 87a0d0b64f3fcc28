"""Every kind of finding, at the places where tests/made_audit.py has put a fault."""

import numpy as np
import pandas as pd
import pytest

from kith.audit.every import CHECKS
from kith.audit.findings import COLUMNS, KINDS, AuditFindings, table
from kith.audit.judgement import pairs_of_sides
from kith.audit.labels import OutOfSample, out_of_sample, suspect_labels
from kith.audit.subject import AuditOptions, Subject
from kith.store.prepared import Prepared
from tests import made_audit

NOTHING = [made_audit.BLACK, made_audit.GREY, made_audit.OUTLIER]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Prepared:
    return Prepared(made_audit.make_audit_data(tmp_path_factory.mktemp("audit")))


@pytest.fixture(scope="module")
def found(made) -> pd.DataFrame:
    subject = Subject(made, made.images, {}, AuditOptions(max_tokens=32))
    parts = [findings for check in CHECKS.values() for findings in check(subject)]
    return table(parts, made.table, made.texts, most=1000)


def pairs(found: pd.DataFrame, kind: str) -> list[tuple[int, int]]:
    part = found[found["kind"] == kind]
    return [tuple(sorted(pair)) for pair in zip(part["row"].tolist(), part["other_row"].tolist(), strict=True)]


def rows(found: pd.DataFrame, kind: str) -> list[int]:
    return sorted(found.loc[found["kind"] == kind, "row"].tolist())


def test_equal_and_nearly_equal_pictures(found):
    equal, near, twins = made_audit.EQUAL_PICTURE, made_audit.NEAR_PICTURE, made_audit.TWIN_LABELS
    assert pairs(found, "exact_pictures") == [equal]
    assert sorted(pairs(found, "near_pictures")) == [near, twins]
    both = found[found["kind"].isin(["exact_pictures", "near_pictures"])]
    assert both["leak"].all()  # train and test
    assert (both["score"] > 0.95).all()


def test_equal_and_nearly_equal_texts(found):
    assert pairs(found, "exact_texts") == [made_audit.EQUAL_TEXT]
    assert pairs(found, "near_texts") == [made_audit.NEAR_TEXT]
    (near,) = found[found["kind"] == "near_texts"].itertuples()
    # 10 words and 10 pairs of them; the other text has one of each more.
    assert near.score == pytest.approx(20 / 22)
    assert near.other_text in near.text


def test_twins_of_two_classes(found):
    assert pairs(found, "twin_labels") == [made_audit.TWIN_LABELS]


def test_suspect_labels_and_what_they_should_be(found):
    wrong, twin = made_audit.WRONG_LABELS, made_audit.TWIN_LABELS[1]
    suspected = set(rows(found, "suspect_label"))
    # What shows no bar at all fits any label as badly.
    assert {*wrong, twin} <= suspected <= {*wrong, twin, *NOTHING}
    told = found[found["kind"] == "suspect_label"].set_index("row")["suggestion"]
    assert [told[row] for row in wrong] == [made_audit.ROWS[row % 6] for row in wrong]
    assert told[twin] == made_audit.ROWS[made_audit.TWIN_LABELS[0] % 6]


def test_texts_of_other_pictures(found):
    told = found[found["kind"] == "wrong_pair"]
    swapped = told[~told["row"].isin(NOTHING)]
    texts = {row: made_audit.text_of(row, place) for row, place in reversed(made_audit.SWAPPED)}
    (a, _), (b, _) = made_audit.SWAPPED
    assert dict(zip(swapped["row"], swapped["text"], strict=True)) == {a: texts[b], b: texts[a]}
    # The picture that is named has what the text says.
    for row, other in zip(swapped["row"], swapped["other_row"], strict=True):
        assert other % 36 == (b if row == a else a) % 36
    assert set(told["row"]) == {a, b, *NOTHING}


def test_a_text_that_fits_many_pictures(found, made):
    """Texts that say of three things roughly what their picture shows; one that says little of one of them."""
    random = np.random.default_rng(0)
    subject = Subject(made, made.images, {})
    shown = random.normal(size=(made_audit.COUNT, 3)).astype(np.float32)
    shown[12] = [1, 2.5, -2]
    said = np.repeat(shown, 2, axis=0) + 0.4 * random.normal(size=(2 * made_audit.COUNT, 3)).astype(np.float32)
    said[24] = [1, 0, 0]
    subject.__dict__ |= {"picture_features": shown, "text_features": said}
    parts = {each.kind: each for each in pairs_of_sides(subject)}
    place = parts["ambiguous_text"].texts.tolist().index(24)
    cosine = shown[:, 0] / np.linalg.norm(shown, axis=1)
    expected = (cosine >= cosine[12]).mean()
    assert parts["ambiguous_text"].scores[place] == pytest.approx(expected, abs=0.05)
    assert 24 not in parts["wrong_pair"].texts
    (said,) = set(parts["ambiguous_text"].details)
    middle = int(said.removeprefix("half of all texts fit at most ").split(" ")[0])
    assert middle < 10  # of the pictures: so the others are told apart


def test_items_alone(found):
    assert rows(found, "outlier") == [made_audit.OUTLIER]
    assert rows(found, "odd_picture") == [made_audit.BLACK, made_audit.GREY]
    details = found[found["kind"] == "odd_picture"].set_index("row")["detail"]
    assert details.to_dict() == {made_audit.BLACK: "black", made_audit.GREY: "one colour"}
    assert rows(found, "other_script") == [made_audit.CYRILLIC]
    assert rows(found, "long_text") == [made_audit.LONG]
    (long,) = found[found["kind"] == "long_text"].itertuples()
    assert long.detail == "65 words, 32 are read"
    (lost,) = found[found["kind"] == "unreadable"].itertuples()
    assert (lost.row, lost.id) == (-1, "")
    assert "id 'lost'" in lost.detail


def test_the_table_has_its_columns_and_kinds_in_order(found):
    assert list(found) == list(COLUMNS)
    order = [list(KINDS).index(kind) for kind in found["kind"]]
    assert order == sorted(order)
    assert found["score"].between(0, 1).all()


def test_only_the_first_of_a_kind_are_kept(found):
    whole = AuditFindings("outlier", np.array([4, 2, 3]), np.array([0.5, 0.9, 0.5]))
    items = pd.DataFrame({"id": list("abcde"), "split": "train", "label_name": ""})
    kept = table([whole], items, [], most=2)
    assert kept["row"].tolist() == [2, 3]
    assert kept["id"].tolist() == ["c", "d"]
    assert not kept["leak"].any()


def test_a_weak_classifier_suspects_few():
    """It is right in 40 of 100 items: of the others, the two with the least probability of their label are told."""
    labels = np.repeat([0, 1], 50)
    own = np.where(np.arange(100) % 5 < 2, 0.8, 0.3)
    own[[3, 57]] = [0.01, 0.02]
    probabilities = np.where(labels[:, None] == np.arange(2), own[:, None], 1 - own[:, None])
    found = suspect_labels(OutOfSample(np.arange(100), np.arange(2), probabilities), labels)
    assert found.rows.tolist() == [3, 57]
    assert found.suggested.tolist() == [1, 0]


def test_a_class_that_no_other_fold_has_is_not_judged():
    """All of its items are one group; the classifier cannot know it, and would believe none of them."""
    random, labels = np.random.default_rng(0), np.repeat([0, 1, 2], [40, 40, 6])
    features = random.normal(size=(86, 4)) + 3 * labels[:, None]
    groups = np.where(labels == 2, 100, np.arange(86))
    found = out_of_sample([features], labels, groups)
    assert set(labels[found.rows]) == {0, 1}
    assert not len(suspect_labels(found, labels).rows)


def test_probabilities_are_as_true_as_they_say():
    """Of overlapping classes with 10 % wrong labels: the items that are given p are of the class in p of the cases."""
    random = np.random.default_rng(0)
    true = random.integers(0, 4, 4000)
    features = np.concatenate([np.eye(4)[true] * 2, np.zeros((4000, 60))], axis=1) + random.normal(size=(4000, 64))
    labels = np.where(random.random(4000) < 0.1, random.integers(0, 4, 4000), true)
    found = out_of_sample([features.astype(np.float32)], labels, np.arange(4000))
    best, right = found.probabilities.max(axis=1), found.probabilities.argmax(axis=1) == labels[found.rows]
    for low, high in ((0.4, 0.6), (0.6, 0.8), (0.8, 1.0)):
        part = (best >= low) & (best < high)
        assert part.sum() > 100
        assert abs(best[part].mean() - right[part].mean()) < 0.06
    assert found.probabilities[np.arange(4000), labels].min() > 1e-4  # no label is quite impossible


@pytest.mark.parametrize("telling", [[0], [1], [0, 1]])
def test_labels_are_judged_by_whichever_of_pictures_and_texts_tells_them(telling):
    random, labels = np.random.default_rng(0), np.arange(300) % 3
    sides = [random.normal(size=(300, 20)).astype(np.float32) for _ in range(2)]
    for side in telling:
        sides[side][:, :3] += (6 / len(telling)) * np.eye(3, dtype=np.float32)[labels]
    given = labels.copy()
    given[:9] = (given[:9] + 1) % 3
    found = suspect_labels(out_of_sample(sides, given, np.arange(300)), given)
    hits = found.rows < 9
    assert hits.sum() >= 8  # it counts how many there are, and lists no more
    assert len(found.rows) <= 10
    assert found.suggested[hits].tolist() == labels[found.rows[hits]].tolist()
