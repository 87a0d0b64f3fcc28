"""A classifier on what the image tower gives, beside the embedding."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kith import models
from kith.inference.predict import predict_images
from kith.losses import Batch
from kith.models import DualEncoder
from kith.models.embed import vectors_and_scores
from kith.text.tokens import Vocabulary
from kith.training.objective import Objective
from kith.training.task import Task, labelled_rows

FEATURES = {"tower": "mlp", "shape": [5], "shift": 0.0, "scale": 1.0, "hidden": 7, "layers": 1, "width": 1}
LABELS = torch.tensor([0, 1, 2, 1])


def model(classifier: str | None = "tower", projection: str = "unit", seed: int = 0) -> DualEncoder:
    torch.manual_seed(seed)
    classes = {"names": ["a", "b", "c"], "classifier": classifier, "targets": 3}
    built = DualEncoder(
        {"dim": 3, "image": FEATURES, "text": None, "projection": {"kind": projection}, "classes": classes}
    )
    built.targets.copy_(torch.eye(3))
    return built


def test_it_sees_the_tower_and_the_embedding_is_that_of_the_head():
    built, rows = model().eval(), torch.randn(4, 5)
    features = built.encode_images(built.prepare(rows))
    given = built.image_tower(built.prepare(rows))
    torch.testing.assert_close(features, given)
    assert given.shape == (4, 7)
    vectors, scores = vectors_and_scores(built, features)
    unit = F.normalize(built.projection.head(given))
    torch.testing.assert_close(torch.from_numpy(vectors), unit.detach())
    torch.testing.assert_close(torch.from_numpy(scores["classifier"]), built.classifier(given).detach())
    torch.testing.assert_close(torch.from_numpy(scores["nearest"]), -torch.cdist(unit, torch.eye(3)).square().detach())
    torch.testing.assert_close(built.embed_images(built.prepare(rows)), unit)
    assert predict_images(built, rows.numpy())["vector"].shape == (4, 3)


def test_each_loss_learns_what_it_should():
    """The classifier leaves the head alone, and the class embedding the classifier."""
    for losses, head, classifier in (
        ({"cross_entropy": {"weight": 1.0, "smoothing": 0.0, "head": "tower"}}, False, True),
        ({"class_embedding": {"weight": 1.0, "similarity": "inv_corr"}}, True, False),
    ):
        built = model()
        task = Task(built, Objective(losses, built.dim, 3))
        features = built.encode_images(built.prepare(torch.randn(4, 5)))
        known = labelled_rows(task, features, LABELS)
        assert known.features.shape == (4, 3)
        group = torch.arange(4)
        batch = Batch(built.projection.first(features), None, group, [], group < 0, classes=known)
        task.objective(batch)[0].backward()

        def learns(module) -> bool:
            return any(each.grad is not None and bool(each.grad.any()) for each in module.parameters())

        assert (learns(built.projection.head), learns(built.classifier)) == (head, classifier)
        assert learns(built.image_tower)


def test_it_is_saved_and_loaded(tmp_path):
    built = model().eval()
    (tmp_path / "model.pt").write_bytes(models.save(built, Vocabulary([]), 4, {}))
    loaded = models.load(tmp_path / "model.pt")[0]
    rows = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    first, second = (predict_images(each, rows) for each in (built, loaded))
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_other_models_start_from_the_same_weights():
    other = model("hidden")
    torch.testing.assert_close(model().projection.head.weight, other.image_head.weight)
    assert other.encode_images(other.prepare(torch.randn(2, 5))).shape == (2, 3)


def test_a_projection_that_is_learned_does_not_go_with_it():
    with pytest.raises(ValueError, match=r"a classifier on the tower goes with projection\.kind: unit"):
        model(projection="learned")
