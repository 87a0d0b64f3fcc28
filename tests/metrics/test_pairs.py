"""N-way accuracy against exhaustive draws and the naive definition, alone and in a gallery."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kith.errors import KithError
from kith.evaluation.gallery import Gallery, GallerySide, hard_ways, random_ways
from kith.metrics.pairs import hard_nway, probability_first, random_nway


@given(st.integers(2, 5), st.data())
@settings(max_examples=60)
def test_closed_form_equals_every_draw(n, data):
    wrong = data.draw(st.integers(n - 1, 8))
    better = data.draw(st.integers(0, wrong))
    draws = list(combinations(range(wrong), n - 1))
    expected = np.mean([min(draw) >= better for draw in draws])
    assert probability_first(np.array([wrong]), np.array([better]), n)[0] == pytest.approx(expected)


def naive_random(scores, partner, right, n):
    draws = list(combinations([c for c in range(len(scores)) if c not in right], n - 1))
    return np.mean([all(scores[partner] > scores[c] for c in draw) for draw in draws])


def test_random_equals_the_naive_definition_with_siblings_and_ties():
    rng = np.random.default_rng(0)
    queries, candidates = np.eye(4)[rng.integers(0, 4, 12)], rng.integers(-1, 2, size=(9, 4)).astype(float)
    candidates /= np.maximum(np.linalg.norm(candidates, axis=1, keepdims=True), 1)
    rows = [rng.choice(9, size=3, replace=False) for _ in range(12)]
    partners = np.array([row[0] for row in rows])
    found = random_nway(queries, candidates, partners, rows, ways=(2, 3, 5))
    scores = queries @ candidates.T
    for n, values in found.items():
        expected = [naive_random(*each, n) for each in zip(scores, partners, rows, strict=True)]
        np.testing.assert_allclose(values, expected, rtol=1e-12)


def test_ties_are_failures():
    same = np.ones((6, 3))
    assert (random_nway(same, same, np.arange(6), ways=(2,))[2] == 0).all()
    assert (hard_nway(same, same, np.arange(6), np.arange(6)[::-1, None]) == 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_vectors_tie_exactly(dtype):
    rng = np.random.default_rng(1)
    queries = rng.normal(size=(50, 129)).astype(dtype)
    candidates = np.tile(rng.normal(size=129), (300, 1)).astype(dtype)
    distractors = rng.integers(50, 300, size=(50, 19))
    assert not hard_nway(queries, candidates, np.arange(50), distractors).any()
    assert not random_nway(queries, candidates, np.arange(50), np.arange(50), ways=(20,))[20].any()


def test_hard_equals_the_naive_definition():
    rng = np.random.default_rng(2)
    queries, candidates = rng.normal(size=(30, 5)), rng.normal(size=(20, 5))
    partners, distractors = rng.integers(0, 5, 30), rng.integers(5, 20, size=(30, 4))
    distractors[7, 2] = -1
    found = hard_nway(queries, candidates, partners, distractors)
    scores = queries @ (candidates / np.linalg.norm(candidates, axis=1, keepdims=True)).T
    for i in range(30):
        expected = np.nan if i == 7 else float(scores[i, partners[i]] > scores[i, distractors[i]].max())
        np.testing.assert_equal(found[i], expected)


def test_what_is_refused():
    vectors = np.eye(4)
    with pytest.raises(KithError, match="5-way accuracy needs 4 distractors, a query has only 3"):
        random_nway(vectors, vectors, np.arange(4), ways=(5,))
    with pytest.raises(KithError, match="query 2: its partner is not in `relevant`"):
        random_nway(vectors, vectors, np.array([0, 1, 3, 3]), ways=(2,))
    with pytest.raises(KithError, match="query 1: its partner 1 is among its distractors"):
        hard_nway(vectors, vectors, np.array([0, 1]), np.array([[2, 3], [0, 1]]))


@pytest.fixture
def gallery():
    """12 items, two of one group, one without a picture, one without meaning, 1 to 3 texts each."""
    rng = np.random.default_rng(3)
    groups = np.array([0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    text_items = np.repeat(np.arange(12), np.arange(12) % 3 + 1)
    places = np.concatenate([np.arange(i % 3 + 1) for i in range(12)])
    image_items = np.delete(np.arange(12), 4)
    meaning = rng.normal(size=(12, 6))
    meaning[7] = 0
    images = GallerySide(rng.normal(size=(11, 5)), image_items, groups[image_items], np.zeros(11, dtype=int))
    texts = GallerySide(rng.normal(size=(len(text_items), 5)), text_items, groups[text_items], places)
    return Gallery(images, texts, meaning)


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def text_of(gallery, item, place):
    own = np.flatnonzero(gallery.texts.items == item)
    return gallery.texts.vectors[own[min(place, len(own) - 1)]]


def image_of(gallery, item):
    return gallery.images.vectors[np.flatnonzero(gallery.images.items == item)[0]]


def naive_hard(gallery, direction, item, place, n):
    """1 if the partner of a text of an item beats those of the n − 1 items nearest in meaning."""
    groups = dict(zip(gallery.texts.items, gallery.texts.groups, strict=True))
    meaning = gallery.semantic
    pool = [i for i in gallery.images.items if groups[i] != groups[item] and meaning[i].any()]
    near = sorted(pool, key=lambda i: -cosine(meaning[i], meaning[item]))[: n - 1]
    text, image = text_of(gallery, item, place), image_of(gallery, item)
    if direction == "text_to_image":
        return all(cosine(text, image) > cosine(text, image_of(gallery, i)) for i in near)
    return all(cosine(image, text) > cosine(image, text_of(gallery, i, place)) for i in near)


@pytest.mark.parametrize("n", [2, 4, 6])
def test_hard_distractors_of_a_gallery(gallery, n):
    found = hard_ways(gallery, "text_to_image", [n])[n]
    queries = gallery.sides("text_to_image")[0]
    assert len(found) == len(queries.items) == np.sum(gallery.texts.items != 4)
    for value, item, place in zip(found, queries.items, queries.places, strict=True):
        expected = np.nan if item == 7 else naive_hard(gallery, "text_to_image", item, place, n)
        np.testing.assert_equal(value, float(expected))
    found = hard_ways(gallery, "image_to_text", [n])[n]
    for value, item in zip(found, gallery.images.items, strict=True):
        if item == 7:
            assert np.isnan(value)
            continue
        each = [naive_hard(gallery, "image_to_text", item, place, n) for place in range(item % 3 + 1)]
        assert value == pytest.approx(np.mean(each))


def test_random_distractors_of_a_gallery(gallery):
    found = random_ways(gallery, "image_to_text", [3])[3]
    texts = gallery.texts
    for value, item, group in zip(found, gallery.images.items, gallery.images.groups, strict=True):
        scores = [cosine(image_of(gallery, item), text) for text in texts.vectors]
        right = set(np.flatnonzero(texts.groups == group))
        own = np.flatnonzero(texts.items == item)
        assert value == pytest.approx(np.mean([naive_random(scores, text, right, 3) for text in own]))


def test_a_gallery_drops_ways_that_it_cannot_serve(gallery):
    # 11 pictures, up to 2 of a group: 9 random distractors; 10 items with meaning: 8 hard ones.
    assert list(random_ways(gallery, "text_to_image", [5, 10, 11])) == [5, 10]
    assert list(hard_ways(gallery, "text_to_image", [5, 9, 10])) == [5, 9]
    assert hard_ways(gallery, "text_to_image", [20]) == {}
