"""Several vectors an item: the head against its equations, the losses, and similarities as the best of K×K."""

import itertools
import math

import numpy as np
import pytest
import torch

from kith.evaluation.gallery import GallerySide, item_means
from kith.losses import LOSSES, Batch, TrainingStep, diversity, mmd, pairwise_hinge
from kith.metrics.cross_modal import cross_modal_retrieval
from kith.metrics.hierarchical import hierarchical_retrieval
from kith.metrics.pairs import hard_nway, pair_distances, random_nway
from kith.models import DualEncoder
from kith.models.image import image_tower
from kith.models.polysemous import PolysemousHead, PolysemousLayer
from kith.models.text import text_tower
from kith.search.index import Index
from kith.similarity import similarity_blocks, top_candidates, unit_rows

K = 3


def sets(seed: int, count: int = 5, dim: int = 4) -> torch.Tensor:
    rows = torch.randn(count, K, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return rows / rows.norm(dim=-1, keepdim=True)


def nearest(first, second) -> float:
    """Of two items, (K, d) each."""
    return max(sum(x * y for x, y in zip(a, b, strict=True)) for a in first.tolist() for b in second.tolist())


def table(first, second) -> np.ndarray:
    return np.array([[nearest(a, b) for b in second] for a in first])


def test_the_head_is_its_definition():
    torch.manual_seed(0)
    head = PolysemousHead(whole=5, part=4, dim=3, vectors=2).double()
    whole, parts = torch.randn(1, 5).double(), torch.randn(1, 6, 4).double()
    absent = torch.tensor([[False, False, False, True, False, True]])
    found = PolysemousLayer(2, 3)
    rows = head(whole, parts, absent).detach()
    for k in range(2):
        scores = [
            float((head.heads.weight[k] @ torch.tanh(head.looks.weight @ part)).detach()) if not gone else -math.inf
            for part, gone in zip(parts[0], absent[0], strict=True)
        ]
        total = sum(map(math.exp, scores))
        seen = sum(math.exp(score) / total * part for score, part in zip(scores, parts[0], strict=True))
        added = torch.sigmoid(head.added.weight @ seen + head.added.bias)
        vector = head.whole.weight @ whole[0] + head.whole.bias + added
        vector = (vector - vector.mean()) / (vector.var(unbiased=False) + 1e-5).sqrt()
        assert torch.allclose(found.first(rows)[0, k], vector / vector.norm())
        assert torch.allclose(found.added(rows)[0, k], added)


def test_diversity_and_mmd_are_their_definitions():
    added, image, text = sets(0) * 2, sets(1).flatten(0, 1), sets(2).flatten(0, 1)
    expected = 0.0
    for item in added:
        unit = (item / item.norm(dim=1, keepdim=True)).tolist()
        pairs = itertools.permutations(unit, 2)
        squares = [sum(x * y for x, y in zip(a, b, strict=True)) ** 2 for a, b in pairs]
        expected += math.sqrt(sum(squares)) / K**2 / len(added)
    assert float(diversity(added)) == pytest.approx(expected)

    def kernels(first, second) -> float:
        values = [math.exp(-0.5 * math.dist(a, b)) for a in first.tolist() for b in second.tolist()]
        return sum(values) / len(values)

    expected = kernels(image, image) - 2 * kernels(image, text) + kernels(text, text)
    assert float(mmd(image, text)) == pytest.approx(expected)


def test_equal_rows_have_finite_gradients():
    rows = torch.ones(3, 2, requires_grad=True)
    (mmd(rows, rows.detach()) + diversity(rows[None])).backward()
    assert rows.grad.isfinite().all()


def test_the_ranking_loss_takes_the_nearest_two_vectors():
    image, text = sets(0), sets(1)
    near, expected = table(image, text), 0.0
    for i in range(5):
        for row in (near[i], near[:, i]):
            wrong = max(row[j] for j in range(5) if j != i)
            expected += max(0.0, 0.1 - near[i, i] + wrong) / 5
    assert float(pairwise_hinge(image, text, 0.1, "hardest")) == pytest.approx(expected)


def test_diversity_is_of_training_alone():
    loss = LOSSES["diversity"](LOSSES["diversity"].options_type()())
    batch = Batch(sets(0), sets(1), torch.arange(5), [], torch.zeros(5, dtype=torch.bool))
    assert float(loss(batch, TrainingStep())) == 0
    batch.added = sets(2), sets(3)
    assert float(loss(batch, TrainingStep())) == pytest.approx(float(diversity(sets(2)) + diversity(sets(3))))


def test_items_are_as_similar_as_their_nearest_vectors():
    first, second = sets(0).numpy(), sets(1, 7).numpy()
    expected = table(torch.from_numpy(first), torch.from_numpy(second))
    ((_, scores),) = similarity_blocks(unit_rows(3 * first), unit_rows(second))
    np.testing.assert_allclose(scores, expected)
    np.testing.assert_array_equal(top_candidates(first, second, 2)[0], np.argsort(-expected, axis=1)[:, :2])
    relevant = np.arange(7)[None] == np.arange(5)[:, None]
    ranks = [1 + int((row > row[i]).sum()) for i, row in enumerate(expected)]
    assert cross_modal_retrieval(first, second, relevant)["ranks"].tolist() == ranks
    np.testing.assert_allclose(pair_distances(first, second[:5]), 1 - np.diag(expected))
    better = [[float(row[i] > row[j]) for j in (5, 6)] for i, row in enumerate(expected)]
    found = [hard_nway(first, second, np.arange(5), np.full((5, 1), j)) for j in (5, 6)]
    assert np.transpose(found).tolist() == better
    wins = [float((row < row[i]).sum()) / 6 for i, row in enumerate(expected)]
    np.testing.assert_allclose(random_nway(first, second, np.arange(5), relevant, [2])[2], wins)


def test_pictures_find_pictures_of_their_class_by_the_nearest_vectors():
    vectors, labels = sets(0, 6).numpy(), [0, 1, 0, 1, 0, 1]
    near = table(torch.from_numpy(vectors), torch.from_numpy(vectors))
    np.fill_diagonal(near, -np.inf)
    expected = [float(labels[row.argmax()] == label) for row, label in zip(near, labels, strict=True)]
    assert hierarchical_retrieval(vectors, labels, np.eye(2), ks=[1], clip=5)["HP@1"].tolist() == expected


def test_several_texts_are_one_by_the_means_of_their_vectors():
    side = GallerySide(sets(0, 2).numpy(), np.array([4, 4]), np.array([0, 0]), np.array([0, 1]))
    mean = side.vectors.mean(axis=0)
    np.testing.assert_allclose(item_means(side).vectors[0], mean / np.linalg.norm(mean, axis=1, keepdims=True))


def test_an_index_takes_the_nearest_vectors():
    vectors, query = sets(0, 6).numpy().astype(np.float32), sets(1, 1).numpy().astype(np.float32)
    expected = table(torch.from_numpy(query), torch.from_numpy(vectors))[0]
    items, similarities = Index(vectors, np.arange(6)).search(query[0], 6)
    assert items.tolist() == np.argsort(-expected).tolist()
    np.testing.assert_allclose(similarities, np.sort(expected)[::-1], atol=2e-6)


@pytest.mark.parametrize("name", ["cnn", "resnet", "resnet-18"])
def test_the_parts_of_pictures_go_with_the_whole(name):
    torch.manual_seed(0)
    tower = image_tower(name, 3, 32, 10, 4).eval()
    images = torch.randn(2, 3, 32, 32)
    whole, parts, _ = tower.parts(images)
    assert torch.equal(whole, tower(images))
    assert parts.shape == (2, 16, tower.part_features)
    if name != "cnn":
        assert torch.allclose(parts.mean(dim=1), whole, atol=1e-6)


@pytest.mark.parametrize("name", ["gru", "bag"])
def test_what_lies_behind_a_text_is_absent(name):
    torch.manual_seed(0)
    tower = text_tower(name, words=9, embedding=4, hidden=6).eval()
    tokens, lengths = torch.tensor([[2, 5, 3, 0], [2, 6, 7, 3]]), torch.tensor([3, 4])
    whole, parts, absent = tower.parts(tokens, lengths)
    assert torch.equal(whole, tower(tokens, lengths))
    assert parts.shape == (2, 4, tower.part_features)
    assert absent.tolist() == [[False, False, False, True], [False] * 4]


def test_a_tower_without_parts_is_refused():
    side = {"tower": "linear", "shape": [3], "shift": 0.0, "scale": 1.0, "hidden": 1, "layers": 0, "width": 1}
    config = {"dim": 2, "image": side, "text": side, "head": "attention", "projection": {"kind": "unit"}}
    with pytest.raises(ValueError, match="looks at the parts of a picture or a text; take a tower that has some: cnn"):
        DualEncoder(config | {"attention": {"vectors": 2, "hidden": None, "dropout": 0.0}})
