"""What losses declare: the page of methods says it, and the schema and the objective follow it."""

from dataclasses import fields
from pathlib import Path

import pytest

from kith.losses import LOSSES, Needs
from kith.losses.table import table
from stages.params.losses import Losses

PAGE = Path(__file__).resolve().parents[2] / "docs" / "methods.md"


def test_the_page_lists_every_loss_as_it_declares_itself():
    """Mend with `python -m kith.losses.table`."""
    assert table() in PAGE.read_text(encoding="utf-8")


def test_the_schema_has_the_options_and_defaults_of_every_loss():
    assert list(Losses.model_fields) == ["matryoshka", *LOSSES]
    for name, loss in LOSSES.items():
        required = {"name": "SupCon"} if name == "metric_learning" else {}
        options = loss.options_type()(**required)
        expected = {field.name: getattr(options, field.name) for field in fields(options)}
        assert Losses(**{name: required}).terms() == {name: expected}


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"info_nce": {}}, Needs(True, False, False, False, None)),
        ({"angular_text": {}, "triplet": {}}, Needs(True, True, False, True, None)),
        ({"cross_entropy": {"head": "normalized"}, "devise": {}}, Needs(False, True, True, False, "normalized")),
        ({"center": {}}, Needs(False, True, False, False, None)),
        ({"center": {"learned": False}}, Needs(False, True, True, False, None)),
        ({"cross_entropy": {}, "label_embedding": {}}, Needs(False, True, False, False, "hidden")),
        ({"cross_entropy": {"head": "tower"}, "soft_labels": {}}, Needs(False, True, False, False, "tower")),
        ({"soft_labels": {}, "cross_entropy": {"head": "tower"}}, Needs(False, True, False, False, "tower")),
    ],
)
def test_what_losses_need_together(terms, expected):
    assert Needs.of(terms) == expected


def test_only_losses_that_say_so_train_a_classifier():
    for name, loss in LOSSES.items():
        options = loss.options_type()(**({"name": "SupCon"} if name == "metric_learning" else {}))
        assert ("classifier" in loss.needs) == (loss.classifier(options) is not None)
