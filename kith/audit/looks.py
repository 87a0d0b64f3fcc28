"""Checks of items alone: odd pictures, outliers, scripts and lengths of texts, rows that prepare left out."""

import io
from collections import Counter
from collections.abc import Iterator

import numpy as np
from PIL import Image

from kith.audit.findings import AuditFindings
from kith.audit.letters import script_of
from kith.audit.odd import odd_pictures, odd_shape
from kith.audit.outliers import outliers
from kith.audit.subject import Subject
from kith.store.photos import Photos
from kith.text.tokens import tokenize

RARE = 0.05  # share of texts below which a script is another one


def single_pictures(subject: Subject) -> Iterator[AuditFindings]:
    """Odd pictures, and items that are far from all others."""
    if len(subject.shown):
        far, share = outliers(subject.picture_graph)
        yield AuditFindings("outlier", subject.shown[far], share)
    if subject.pictures is None:
        return
    rows = subject.image_rows[subject.shown]
    odd = odd_pictures(subject.pictures, np.unique(rows)) | _shapes(subject, np.unique(rows))
    found = np.flatnonzero(np.isin(rows, list(odd)))
    yield AuditFindings(
        "odd_picture", subject.shown[found], np.ones(len(found)), details=[odd[int(row)] for row in rows[found]]
    )


def _shapes(subject: Subject, rows: np.ndarray) -> dict[int, str]:
    """Of photographs, which are stored in their shape."""
    if not isinstance(subject.pictures, Photos):
        return {}
    found = {}
    for row in rows.tolist():
        with Image.open(io.BytesIO(subject.pictures.encoded(row))) as picture:
            if said := odd_shape(*picture.size):
                found[row] = said
    return found


def single_texts(subject: Subject) -> Iterator[AuditFindings]:
    """Texts in another script than most, and texts that are cut."""
    scripts = [script_of(text) for text in subject.texts]
    counts = Counter(filter(None, scripts))
    written = sum(counts.values())
    rare = np.array([bool(each) and counts[each] < RARE * written for each in scripts], dtype=bool)
    rows = np.flatnonzero(rare)
    yield AuditFindings(
        "other_script",
        subject.owner[rows],
        np.array([1 - counts[scripts[row]] / written for row in rows]),
        texts=rows,
        details=[scripts[row].lower() for row in rows],
    )
    most = subject.options.max_tokens
    if most is None:
        return
    lengths = np.array([len(tokenize(text)) for text in subject.texts], dtype=np.int64)
    rows = np.flatnonzero(lengths > most)
    yield AuditFindings(
        "long_text",
        subject.owner[rows],
        1 - most / lengths[rows],
        texts=rows,
        details=[f"{lengths[row]:,} words, {most:,} are read" for row in rows],
    )


def left_out(subject: Subject) -> Iterator[AuditFindings]:
    """Rows that prepare has passed over, but for those that somebody has marked; they are no items, so they have no
    row."""
    known = subject.data.dataset.get("skipped") or []
    skipped = [each for each in known if not each["problem"].startswith("excluded: ")]
    count = len(skipped)
    yield AuditFindings(
        "unreadable",
        np.full(count, -1),
        np.ones(count),
        details=[f"row {each['row']} (id '{each['id']}'): {each['problem']}" for each in skipped],
    )
