"""The audit's section of the report: what was found, what it costs, and the first findings with their pictures."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from kith.audit.cost import costs
from kith.audit.findings import KINDS
from kith.store.photos import pictures
from kith.store.prepared import Prepared
from kith.store.provenance import NOTE, proved
from stages import files

SHOWN = 6  # findings of a kind with their pictures
SIDE = 96  # pixels of a picture


def section(audited: Path, data: Prepared, run: Path) -> list[dict[str, Any]]:
    """One entry a kind: its title, meaning and advice, how many there are, what they cost the `run`, and examples.

    audited: folder that the stage audit has written. Raises KithError where it is of other data.
    """
    table, summary = audited / "audit.parquet", audited / "summary.json"
    proved(audited / NOTE, [table, summary], "audit", data=data)
    found, counts = files.read_parquet(table), files.read_json(summary)
    cost = costs(found, files.read_parquet(run / "queries.parquet"))
    shown = _Thumbnails(data)
    return [
        {
            "kind": kind,
            "title": KINDS[kind].title,
            "means": KINDS[kind].means,
            "advice": KINDS[kind].advice,
            **counts[kind],
            "costs": [_told(row) for row in cost[cost["kind"] == kind].itertuples()],
            "examples": [shown.example(row) for row in found[found["kind"] == kind].head(SHOWN).itertuples()],
        }
        for kind in KINDS
        if kind in counts
    ]


def _told(row: Any) -> dict[str, str]:
    """One line of what a kind of finding costs, as shown."""
    numbers = {name: _number(getattr(row, name)) for name in ("mrr", "mrr_without", "map", "map_without")}
    way = row.direction.replace("_", " ")
    return {"split": row.split, "direction": way, "affected": f"{row.affected:,} of {row.queries:,}", **numbers}


def _number(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.3f}"


class _Thumbnails:
    """Findings with small pictures of both items, as text."""

    def __init__(self, data: Prepared):
        self._pictures, self._rows = pictures(data), data.table["image_row"].to_numpy()

    def example(self, row: Any) -> dict[str, Any]:
        sides = [
            {"id": name, "split": split, "label": label, "text": text, "picture": self._picture(item)}
            for name, split, label, text, item in (
                (row.id, row.split, row.label, row.text, row.row),
                (row.other_id, row.other_split, row.other_label, row.other_text, row.other_row),
            )
            if item >= 0
        ]
        return {"score": f"{row.score:.2f}", "detail": row.detail, "suggestion": row.suggestion, "sides": sides}

    def _picture(self, item: int) -> str:
        """PNG in base 64, "" for none."""
        if self._pictures is None or self._rows[item] < 0:
            return ""
        pixels = np.asarray(self._pictures[int(self._rows[item])])
        picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[-1] == 1 else pixels)
        picture.thumbnail((SIDE, SIDE))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        return base64.b64encode(buffer.getvalue()).decode()
