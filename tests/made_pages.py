"""Data with all that the pages of a server show: a taxonomy, other columns, several pages of items, an audit."""

from pathlib import Path

import numpy as np
import pandas as pd

from kith.audit.findings import AuditFindings, table
from kith.search import Prepared, Run
from kith.store.provenance import NOTE, note
from stages import files
from tests import made_search
from tests.made import SHAPES
from tests.made_notes import seal_data, seal_run

LINES = ("bar", "column", "cross")
PAIRS = 30  # of nearly equal pictures: three pages


def make_pages(root: Path) -> list[Run]:
    """Two runs over 48 items, all embedded: "pairs-0" of pictures and texts, "classes-0" of pictures alone."""
    items = made_search.make_data(root)
    folder = root / "data/made/prepared"
    edges = [("shape", "line", "Lines"), ("shape", "box", "Boxes")]
    edges += [("line" if shape in LINES else "box", shape, shape.title()) for shape in SHAPES]
    files.write_parquet(folder / "taxonomy.parquet", pd.DataFrame(edges, columns=["parent", "child", "name"]))
    prices = np.where(np.arange(len(items)) % 5 < 2, "cheap", "dear")
    extras = {"id": items["id"], "price": prices, "maker": [f"maker {row % 11}" for row in range(len(items))]}
    files.write_parquet(folder / "extras.parquet", pd.DataFrame(extras))
    seal_data(folder)
    runs = (made_search.make_run(root, "pairs-0"), made_search.make_run(root, "classes-0", texts=False))
    data = Prepared(folder)
    return [Run(run, data, embed_all=True) for run in runs]


def make_audit(data: Prepared) -> None:
    """Findings beside the data: 30 pairs of more that there are, a label, a row that was left out, and the text that is
    markup."""
    rows = np.arange(PAIRS)
    found = [
        AuditFindings("near_pictures", rows + 10, np.linspace(1, 0.9, PAIRS), rows),
        AuditFindings("suspect_label", np.array([5]), np.array([0.8]), suggestions=["cross"]),
        AuditFindings("ambiguous_text", np.array([47]), np.array([0.5]), texts=np.array([len(data.texts) - 1])),
        AuditFindings("unreadable", np.array([-1]), np.ones(1), details=["row 7 (id 'lost'): no picture"]),
    ]
    folder = data.folder.parent / "audit"
    folder.mkdir()
    table(found, data.table, data.texts, 1000).to_parquet(folder / "audit.parquet", index=False)
    totals = {each.kind: {"found": len(each), "listed": len(each), "leaks": 0} for each in found}
    totals["near_pictures"]["found"] = 4 * PAIRS
    files.write_json(folder / "summary.json", totals)
    written = [folder / name for name in ("audit.parquet", "summary.json")]
    files.write_json(folder / NOTE, note(written, data=data.checksum))


def make_measured(run: Path, data: Prepared) -> None:
    """As if the run had been evaluated: every test item is found first, but for items 24 and 25, found fourth."""
    rows = np.flatnonzero(data.splits == "test")
    rank = np.where(rows < 26, 4.0, 1.0)
    asked = {"split": "test", "row": rows, "reciprocal_rank": 1 / rank, "average_precision": 1 / rank}
    ways = [pd.DataFrame(asked).assign(direction=way) for way in ("text_to_image", "image_to_text")]
    files.write_parquet(run / "queries.parquet", pd.concat(ways, ignore_index=True))
    files.write_json(run / "metrics.json", {})
    seal_run(run, data.checksum)
