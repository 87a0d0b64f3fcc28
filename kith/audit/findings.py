"""What an audit finds: one form for every kind of finding, and what is to be done about each."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class FindingKind:
    """title: in a table of all kinds; means: what such a finding is, and what its score, 0 to 1 and highest first, is;
    advice: what to do."""

    title: str
    means: str
    advice: str


KINDS = {
    "exact_pictures": FindingKind(
        "equal pictures",
        "Two items with the same picture, pixel by pixel. Score 1.",
        "exclude one of them, or give both one group",
    ),
    "near_pictures": FindingKind(
        "nearly equal pictures",
        "Two pictures that are copies of one: cropped, lighter or darker, saved anew. Score: the correlation of their "
        "pixels where they fit best.",
        "exclude one of them, or give both one group",
    ),
    "exact_texts": FindingKind(
        "equal texts",
        "Two items with the same text. Score 1.",
        "exclude one of them if they are the same thing; else the text fits both, and is ambiguous",
    ),
    "near_texts": FindingKind(
        "nearly equal texts",
        "Two items whose texts share nearly all words. Score: shared words and pairs of words, of all of both.",
        "exclude one of them, or give both one group",
    ),
    "twin_labels": FindingKind(
        "twins with two labels",
        "Equal or nearly equal items of different classes. Score: how equal they are.",
        "relabel one of them, or exclude both",
    ),
    "suspect_label": FindingKind(
        "suspect labels",
        "A class that a classifier, which has not seen the item, does not believe. Score: 1 minus what it gives the "
        "label.",
        "look at it; relabel it as suggested, or keep it",
    ),
    "classes_alike": FindingKind(
        "classes that look alike",
        "Two classes that the taxonomy puts apart and that a classifier confuses. Score: the share that is confused, "
        "times how far they are apart.",
        "mend the taxonomy, or join the classes",
    ),
    "wrong_pair": FindingKind(
        "texts of other pictures",
        "A text that fits its own picture no better than any other. Score: the probability of that.",
        "exclude the text, or give it to the picture that it fits",
    ),
    "ambiguous_text": FindingKind(
        "texts that fit many pictures",
        "A text that tells its picture from few others. Score: the share of other pictures that fit it as well.",
        "write more into it, or leave it out of the test",
    ),
    "outlier": FindingKind(
        "outliers",
        "An item that is far from all others. Score: the share of the items that are nearer to theirs.",
        "look whether it belongs to the data",
    ),
    "odd_picture": FindingKind(
        "odd pictures",
        "Of one colour, nearly so, tiny, or very long. Score 1.",
        "supply a better picture, or exclude it",
    ),
    "unreadable": FindingKind(
        "rows left out by prepare",
        "What prepare.skip has passed over. Score 1.",
        "mend the file, and run prepare again",
    ),
    "other_script": FindingKind(
        "texts in another script",
        "A text mostly in letters that few of the texts have. Score: the share of texts in other scripts.",
        "translate it, or exclude it",
    ),
    "long_text": FindingKind(
        "texts that are cut",
        "A text with more words than methods read (train.text.max_tokens). Score: the share that is cut off.",
        "shorten it, or raise train.text.max_tokens",
    ),
}
COLUMNS = {
    **{"kind": str, "score": np.float64, "leak": bool, "row": np.int64, "other_row": np.int64},
    **dict.fromkeys(("id", "other_id", "split", "other_split", "label", "other_label"), str),
    **dict.fromkeys(("text", "other_text", "suggestion", "detail", "advice"), str),
}


@dataclass(frozen=True)
class AuditFindings:
    """AuditFindings of one kind: the item of each, and of pairs the other one.

    rows, others: (n,) int64 rows of items, −1 for none; scores: (n,) floats; texts, other_texts: (n,) int64 rows of
    texts, −1 for none; suggestions: a better label, or the id of a better picture, "" for none; details: a line each.
    Fields left empty are without any. total: how many there are, where only the first are kept.
    """

    kind: str
    rows: np.ndarray
    scores: np.ndarray
    others: np.ndarray | None = None
    texts: np.ndarray | None = None
    other_texts: np.ndarray | None = None
    suggestions: Sequence[str] = field(default_factory=tuple)
    details: Sequence[str] = field(default_factory=tuple)

    def __len__(self) -> int:
        return len(self.rows)


def table(found: Sequence[AuditFindings], items: pd.DataFrame, texts: Sequence[str], most: int) -> pd.DataFrame:
    """All findings as rows with the COLUMNS: by kind as KINDS has them, leaks first, then by falling score.

    items: id, split and label_name of each item; texts: of all items, by their row. most: rows kept of a kind.
    A leak is a pair whose sides are in different splits, one of them train.
    """
    order = {kind: place for place, kind in enumerate(KINDS)}
    parts = [_rows(each, items, texts).head(most) for each in sorted(found, key=lambda each: order[each.kind])]
    columns = [pd.concat([part[name] for part in parts], ignore_index=True) if parts else [] for name in COLUMNS]
    return pd.DataFrame(
        {name: pd.Series(each).astype(kind) for (name, kind), each in zip(COLUMNS.items(), columns, strict=True)}
    )


def _rows(found: AuditFindings, items: pd.DataFrame, texts: Sequence[str]) -> pd.DataFrame:
    count = len(found)
    others = np.full(count, -1) if found.others is None else found.others
    split, other_split = _at(items["split"], found.rows), _at(items["split"], others)
    leak = (split != other_split) & ((split == "train") | (other_split == "train")) & (others >= 0)
    rows = pd.DataFrame(
        {
            "kind": found.kind,
            "score": found.scores,
            "leak": leak,
            "row": found.rows,
            "other_row": others,
            "id": _at(items["id"], found.rows),
            "other_id": _at(items["id"], others),
            "split": split,
            "other_split": other_split,
            "label": _at(items["label_name"], found.rows),
            "other_label": _at(items["label_name"], others),
            "text": _texts(texts, found.texts, count),
            "other_text": _texts(texts, found.other_texts, count),
            "suggestion": list(found.suggestions) or [""] * count,
            "detail": list(found.details) or [""] * count,
            "advice": KINDS[found.kind].advice,
        }
    )
    return rows.sort_values(["leak", "score", "row", "other_row"], ascending=[False, False, True, True], kind="stable")


def _at(column: pd.Series, rows: np.ndarray) -> np.ndarray:
    values = column.to_numpy(dtype=object)
    return np.array([values[row] if row >= 0 else "" for row in rows], dtype=object)


def _texts(texts: Sequence[str], rows: np.ndarray | None, count: int) -> list[str]:
    return [""] * count if rows is None else [texts[row] if row >= 0 else "" for row in rows]
