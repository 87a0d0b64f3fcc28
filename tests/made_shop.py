"""The shop of docs/own-data.md: a table of products with photographs of coloured shapes."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from tests.made import COLOURS, SHAPES, picture

WIDEST = {"bar": "open", "column": "open", "cross": "open", "square": "closed", "frame": "closed", "corner": "open"}


def write_shop(folder: Path) -> None:
    random = np.random.default_rng(0)
    (folder / "photos").mkdir(parents=True)
    rows = []
    for number, (colour, shape) in enumerate((c, s) for _ in range(8) for c in COLOURS for s in SHAPES):
        name = f"photos/A{number}.jpg"
        Image.fromarray(picture(colour, shape, random)).resize((48, 48)).save(folder / name)
        title, told = f"{colour.title()} {shape}", f"A {colour} {shape}, hand made."
        rows.append((f"A{number}", name, title, told, WIDEST[shape], shape))
    head = ["sku", "photo", "title", "description", "level1", "level2"]
    pd.DataFrame(rows, columns=head).to_csv(folder / "products.csv", index=False)
    edges = [(parent, shape) for shape, parent in WIDEST.items()] + [("all", "open"), ("all", "closed")]
    pd.DataFrame(edges, columns=["parent", "child"]).to_csv(folder / "categories.csv", index=False)
