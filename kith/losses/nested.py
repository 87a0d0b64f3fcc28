"""Matryoshka representations: embeddings whose first numbers are embeddings too (Kusupati et al., NeurIPS 2022)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from kith.errors import KithError
from kith.losses.batch import Batch
from kith.losses.loss import LOSSES


def prefix_rows(rows: Tensor, width: int) -> Tensor:
    """The first `width` numbers of (n, d) unit rows, brought to length 1 again.

    >>> import torch
    >>> prefix_rows(torch.tensor([[0.3, 0.4, 0.5]]), 2)
    tensor([[0.6000, 0.8000]])
    """
    return F.normalize(rows[:, :width])


def prefix(batch: Batch, width: int) -> Batch:
    """The batch as it would be if embeddings had but their first `width` numbers.

    Those of pictures whose class is known, which are not yet of length 1, are cut alone. Canonical correlations are
    left out: they are of whole embeddings.

    >>> import torch
    >>> rows = torch.tensor([[0.3, 0.4, 0.5]])
    >>> batch = Batch(rows, rows, torch.zeros(1), [], torch.zeros(1, dtype=torch.bool))
    >>> prefix(batch, 2).text
    tensor([[0.6000, 0.8000]])
    """
    classes = batch.classes
    return replace(
        batch,
        image=prefix_rows(batch.image, width),
        text=None if batch.text is None else prefix_rows(batch.text, width),
        neighbors=[(prefix_rows(image, width), prefix_rows(text, width)) for image, text in batch.neighbors],
        correlations=None,
        classes=None if classes is None else replace(classes, features=classes.features[:, :width]),
        random_texts=None if batch.random_texts is None else prefix_rows(batch.random_texts, width),
    )


def check_widths(widths: Sequence[int], dim: int) -> None:
    """Raise KithError unless widths rise and are below `dim`, the whole embedding, which counts by itself.

    >>> check_widths([32, 64], dim=64)
    Traceback (most recent call last):
    kith.errors.KithError: losses.matryoshka: 64 is not below the width of the embeddings, 64, which counts by itself
    """
    if not widths or list(widths) != sorted(set(widths)) or widths[0] < 1:
        raise KithError(f"losses.matryoshka: widths rise, such as [32, 64], each once; not {list(widths)}")
    if widths[-1] >= dim:
        raise KithError(
            f"losses.matryoshka: {widths[-1]} is not below the width of the embeddings, {dim}, which counts by itself"
        )


def check_terms(terms: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise KithError for losses that cannot be computed of a part of an embedding: those of a classifier, of class
    embeddings or of canonical correlations, and those that keep vectors of the whole width.

    terms: as of `kith.training.objective.Objective`.

    >>> check_terms({"info_nce": {}})
    >>> check_terms({"trace_norm": {}})
    Traceback (most recent call last):
    kith.errors.KithError: losses.matryoshka: trace_norm looks at canonical correlations; leave one of them out
    """
    for name, options in terms.items():
        if (why := _whole(name, options)) is not None:
            raise KithError(f"losses.matryoshka: {name} looks at {why}; leave one of them out")


def _whole(name: str, options: Mapping[str, Any]) -> str | None:
    """What a loss looks at that has no parts, if anything."""
    kind = LOSSES[name]
    if name == "trace_norm":
        return "canonical correlations"
    chosen = kind.options_type()(**options)
    if kind.classifier(chosen) is not None:
        return "a classifier of whole embeddings"
    if "targets" in kind.needs and all(getattr(chosen, key) == value for key, value in kind.needs["targets"].items()):
        return "class embeddings of the whole width"
    built = kind(chosen, 8, 4)  # any width and number of classes: what it keeps is what is asked
    if any(each.ndim for each in (*built.parameters(), *built.buffers())):
        return "vectors of the whole width that it keeps"
    return None
