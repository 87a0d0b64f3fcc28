"""A small table of products: photographs of several proportions, a tree of categories, and columns for people."""

from pathlib import Path

import pandas as pd

from tests.made_photos import jpeg

TREE = [("clothes", "shoes"), ("clothes", "hats"), ("kitchen", "pots"), ("kitchen", "cups"), ("kitchen", "")]
SIZES = [(40, 30), (30, 40), (36, 36), (80, 20)]


def write_products(path: Path, count: int = 40) -> pd.DataFrame:
    """products.parquet: sku, photo, title, level1, level2, colour (repeats), price (does not), tags (lists), part."""
    rows = []
    for i in range(count):
        level1, level2 = TREE[i % len(TREE)]
        width, height = SIZES[i % len(SIZES)]
        rows.append(
            {
                **{
                    "sku": f"P{i:03}",
                    "photo": jpeg(width, height, seed=i),
                    "title": f"A {level2 or level1} number {i}",
                },
                **{"level1": level1, "level2": level2, "colour": ["red", "blue", None][i % 3], "price": 9.5 + i},
                **{"tags": ["new", f"t{i}"], "part": "test" if i % 4 == 3 else "train"},
            }
        )
    table = pd.DataFrame(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(path)
    return table
