"""Matryoshka: an objective is the mean of the same losses on embeddings that were cut by hand."""

import pytest
import torch
import torch.nn.functional as F

from kith.errors import KithError
from kith.losses import LOSSES, Batch, LabelledRows
from kith.losses.nested import check_terms, prefix
from kith.training.objective import Objective
from stages.params.losses import Losses
from stages.params.method import Method

B, D = 6, 8


def rows(seed: int) -> torch.Tensor:
    return torch.randn(B, D, generator=torch.Generator().manual_seed(seed))


def batch(width: int = D) -> Batch:
    """As a run of so many dimensions would see it: the same numbers, cut before they are brought to length 1."""
    unit = [F.normalize(rows(seed)[:, :width]) for seed in range(5)]
    classes = LabelledRows(rows(9)[:, :width], torch.tensor([0, 0, 1, 1, 2, 2]))
    known = torch.ones(B, dtype=torch.bool)
    return Batch(unit[0], unit[1], torch.arange(B), [(unit[2], unit[3])], known, None, classes, unit[4])


FIT = {
    "info_nce": {},
    "siglip": {},
    "pairwise_hinge": {},
    "circle": {},
    "angular_cross": {},
    "angular_image": {},
    "angular_text": {},
    "squared_distance": {},
    "triplet": {"mining": "all"},
    "contrastive": {"mining": "all"},
    "dtsh": {},
    "dsh": {},
    "hoffer_ailon": {},
    "metric_learning": {"name": "SupCon"},
}
DO_NOT = {
    "trace_norm": ({}, "canonical correlations"),
    "cross_entropy": ({}, "a classifier"),
    "class_embedding": ({}, "class embeddings"),
    "devise": ({}, "class embeddings"),
    "center": ({}, "vectors of the whole width"),
    "csq": ({}, "vectors of the whole width"),
}


@pytest.mark.parametrize("name", FIT)
def test_each_loss_is_the_mean_over_prefixes(name):
    options = FIT[name]
    direct = torch.stack([Objective({name: options}, width, 3)(batch(width))[0] for width in (D, 2, 5)])
    total, values = Objective({name: options}, D, 3, [2, 5])(batch())
    assert total.item() == pytest.approx(direct.mean().item(), rel=1e-5)
    assert values[name].item() == pytest.approx(direct.mean().item(), rel=1e-5)
    assert len(set(direct.tolist())) == 3  # or the widths would not matter


def test_the_mining_of_all_prefixes_is_counted():
    shares = [Objective({"triplet": {"mining": "all"}}, width, 3)(batch(width))[1] for width in (D, 2)]
    together = Objective({"triplet": {"mining": "all"}}, D, 3, [2])(batch())[1]
    assert together["mined"].item() == sum(each["mined"].item() for each in shares)


def test_a_prefix_is_a_batch_of_unit_rows_and_cut_features():
    whole = batch()
    cut = prefix(whole, 3)
    for side in (cut.image, cut.text, *cut.neighbors[0], cut.random_texts):
        assert side.shape == (B, 3)
        torch.testing.assert_close(side.norm(dim=1), torch.ones(B))
    torch.testing.assert_close(cut.classes.features, whole.classes.features[:, :3])
    assert cut.group is whole.group
    assert whole.image.shape == (B, D)


def test_without_widths_the_sum_is_what_it_was():
    terms = {"info_nce": {}, "angular_image": {"weight": 0.3}}
    direct = LOSSES["info_nce"](LOSSES["info_nce"].options_type()())(batch(), None)
    assert Objective(terms)(batch())[1]["info_nce"].item() == direct.item()


def test_gradients_reach_every_number():
    given = rows(0).requires_grad_()
    made = batch()
    made.image = F.normalize(given)
    Objective({"info_nce": {}}, D, 0, [2])(made)[0].backward()
    assert (given.grad.abs() > 0).all()


@pytest.mark.parametrize("name", DO_NOT)
def test_losses_without_parts_are_refused(name):
    options, why = DO_NOT[name]
    with pytest.raises(KithError, match=rf"losses.matryoshka: {name} looks at {why}"):
        Objective({name: options}, D, 3, [2])


def test_every_loss_is_either_refused_or_computed_of_a_prefix():
    """A loss that is new is asked too: one that is not refused gives another value for another width."""
    for name in LOSSES:
        options = {"name": "SupCon"} if name == "metric_learning" else {}
        try:
            check_terms({name: options})
        except KithError:
            continue
        value = Objective({name: options}, D, 3, [2])(batch())[0]
        assert value.isfinite(), name


def test_a_bank_of_whole_embeddings_is_refused():
    with pytest.raises(KithError, match="triplet looks at vectors of the whole width"):
        Objective({"triplet": {"bank": 4}}, D, 3, [2])


@pytest.mark.parametrize(
    ("widths", "problem"),
    [([5, 2], "rise"), ([2, 2], "rise"), ([0, 2], "rise"), ([], "rise"), ([2, 8], "8 is not below"), ([9], "9 is not")],
)
def test_widths_that_do_not_fit_are_refused(widths, problem):
    with pytest.raises(KithError, match=f"losses.matryoshka: .*{problem}"):
        Objective({"info_nce": {}}, D, 0, widths)


def method(**changes):
    train = {"epochs": 1, "dim": 16, **changes.pop("train", {})}
    return Method(losses={"info_nce": {}, "matryoshka": [4, 8], **changes.pop("losses", {})}, train=train)


def test_params_take_it_and_refuse_it_before_anything_is_trained():
    assert method().losses.matryoshka == [4, 8]
    assert list(method().losses.terms()) == ["info_nce"]
    assert Losses(info_nce={}).parameters() == ["info_nce"]  # nothing in params.yaml where it is not used
    for changes, problem in [
        ({"train": {"dim": 8}}, "8 is not below the width of the embeddings, 8"),
        ({"losses": {"cross_entropy": {}}}, "cross_entropy looks at a classifier"),
        ({"train": {"epochs": 0}}, "epochs: 0"),
    ]:
        with pytest.raises(ValueError, match=problem):
            method(**changes)
