"""Folds against each fold searched by itself."""

import numpy as np
import pytest

from kith.evaluation.folds import in_folds
from kith.evaluation.gallery import Gallery, GallerySide
from kith.metrics.cross_modal import cross_modal_retrieval

RNG = np.random.default_rng(0)


def gallery(n_pictures: int, texts_each: list[int]) -> Gallery:
    items = np.arange(n_pictures)
    of_texts = np.repeat(items, texts_each)
    images = GallerySide(RNG.standard_normal((n_pictures, 4)), items, items, 0 * items)
    texts = GallerySide(RNG.standard_normal((len(of_texts), 4)), of_texts, of_texts, 0 * of_texts)
    return Gallery(images, texts, np.zeros((n_pictures, 1)))


def test_a_metric_is_the_mean_of_the_folds():
    whole = gallery(7, [2, 1, 3, 2, 1, 1, 2])
    found = {name: values.mean() for each in in_folds(whole, 3, "mean", [1, 2]) for name, values in each.values.items()}
    each = []
    for rows in (range(3), range(3, 5), range(5, 7)):  # as equal as 7 pictures allow
        images, texts = (side[np.isin(side.items, list(rows))] for side in (whole.images, whole.texts))
        right = texts.items[:, None] == images.items
        t2i = cross_modal_retrieval(texts.vectors, images.vectors, right, ks=[1, 2])
        i2t = cross_modal_retrieval(images.vectors, texts.vectors, right.T, ks=[1, 2])
        sides = {"text_to_image": t2i, "image_to_text": i2t}
        each.append({f"{d}_folds/{m}": of[m] for d, of in sides.items() for m in ("R@1", "R@2", "mrr", "map")})
    assert found == pytest.approx({name: np.mean([fold[name] for fold in each]) for name in each[0]})


def test_chance_is_that_of_a_fold():
    (there, back) = in_folds(gallery(6, [1] * 6), 3, "mean", [1])
    assert there.chance["text_to_image_folds/R@1"] == back.chance["image_to_text_folds/R@1"] == pytest.approx(50)


def test_texts_of_a_group_go_with_its_first_picture():
    items, groups = np.arange(4), np.array([0, 1, 2, 0])
    images = GallerySide(np.eye(4), items, groups, 0 * items)
    (there, back) = in_folds(Gallery(images, images, np.eye(4)), 2, "mean", [1])
    assert there.groups.tolist() == [0, 1, 0, 2]
    assert set(back.values) == {"image_to_text_folds/R@1", "image_to_text_folds/mrr", "image_to_text_folds/map"}


@pytest.mark.parametrize(("n", "folds"), [(4, None), (2, 3), (0, 2)])
def test_there_is_nothing_without_folds_or_with_empty_ones(n, folds):
    assert in_folds(gallery(n, [1] * n), folds, "mean", [1]) == []
