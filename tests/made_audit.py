"""Small prepared data with faults at known places, for the audit."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from stages import files
from tests.made_notes import seal_data

ROWS = ("top", "upper", "high", "low", "lower", "bottom")
COLUMNS = ("left", "near", "inner", "outer", "far", "right")
COUNT, TRAIN, SIDE = 360, 300, 32

EQUAL_PICTURE = (10, 330)  # train, test
NEAR_PICTURE = (20, 331)
TWIN_LABELS = (30, 332)
WRONG_LABELS = (50, 93)
SWAPPED = ((60, 1), (103, 1))  # item and place of its text
EQUAL_TEXT = (45, 333)  # of the same row and column
NEAR_TEXT = (46, 334)
BLACK, GREY, OUTLIER, CYRILLIC, LONG = 80, 81, 82, 83, 84


def picture(row: int, column: int, random: np.random.Generator) -> np.ndarray:
    """(32, 32, 3) uint8: a bright bar in one of six rows, a blue one in one of six columns, over rough noise."""
    found = np.kron(random.integers(0, 120, (8, 8, 3)), np.ones((4, 4, 1))).astype(np.int64)
    found[row * 5 + 1 : row * 5 + 5] += 120
    found[:, column * 5 + 1 : column * 5 + 5, 2] += 100
    return np.clip(found + random.integers(0, 10, found.shape), 0, 255).astype(np.uint8)


def copied(pixels: np.ndarray) -> np.ndarray:
    """A part of the picture, enlarged and made darker."""
    part = Image.fromarray(pixels[2:30, 3:31]).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return (np.asarray(part) * 0.8).astype(np.uint8)


def text_of(item: int, place: int) -> str:
    """One of the two texts that an item has before anything is planted."""
    row, column = ROWS[item % 6], COLUMNS[item // 6 % 6]
    return (f"{row} and {column} of number{item}", f"a {column} stripe crosses {row} ground{item}")[place]


def make_audit_data(root: Path, study: str = "made") -> Path:
    """data/<study>/prepared: 360 pictures with two texts each; the class is the row of the bar."""
    random = np.random.default_rng(0)
    rows, columns = np.arange(COUNT) % 6, np.arange(COUNT) // 6 % 6
    pictures = np.stack([picture(row, column, random) for row, column in zip(rows, columns, strict=True)])
    texts = [[text_of(item, place) for place in (0, 1)] for item in range(COUNT)]
    image_row, labels = np.arange(COUNT), rows.copy()
    image_row[EQUAL_PICTURE[1]] = EQUAL_PICTURE[0]
    for first, second in (EQUAL_PICTURE, NEAR_PICTURE, TWIN_LABELS):
        texts[second] = [text.replace(str(first), f"{second}") for text in texts[first]]
        labels[second] = labels[first]
        pictures[second] = copied(pictures[first])
    labels[TWIN_LABELS[1]] = (labels[TWIN_LABELS[0]] + 3) % 6
    for row in WRONG_LABELS:
        labels[row] = (labels[row] + 2) % 6
    (a, i), (b, j) = SWAPPED
    texts[a][i], texts[b][j] = texts[b][j], texts[a][i]
    texts[EQUAL_TEXT[1]][0] = texts[EQUAL_TEXT[0]][0].upper()
    longer = f"{texts[NEAR_TEXT[0]][0]} with five words of its own"
    texts[NEAR_TEXT[0]][0], texts[NEAR_TEXT[1]][0] = longer, f"{longer} today"
    pictures[BLACK], pictures[GREY] = 0, 90
    pictures[OUTLIER] = (np.indices((SIDE, SIDE)).sum(axis=0) // 4 % 2 * 255)[:, :, None]
    texts[CYRILLIC][0] = "красная полоса на сером поле"
    texts[LONG][0] = f"{texts[LONG][0]} {' '.join(f'word{i}' for i in range(60))}"
    folder = root / "data" / study / "prepared"
    files.write_npy(folder / "images.npy", pictures)
    split = np.where(np.arange(COUNT) < TRAIN, "train", "test")
    items = {"id": [f"item{i:03}" for i in range(COUNT)], "split": split, "label": labels}
    items |= {"label_name": [ROWS[label] for label in labels], "texts": texts}
    items |= {"group": [f"g{i}" for i in range(COUNT)], "image_row": image_row}
    files.write_parquet(folder / "items.parquet", pd.DataFrame(items))
    edges = [("all", name, name) for name in ROWS]
    files.write_parquet(folder / "taxonomy.parquet", pd.DataFrame(edges, columns=["parent", "child", "name"]))
    skipped = [{"row": 7, "id": "lost", "field": "image", "problem": "undecodable_image: is no picture"}]
    described = {"name": "bars", "licence": "CC0", "mean": [0.3] * 3, "std": [0.2] * 3, "features": None}
    described |= {"image": {"height": SIDE, "width": SIDE, "channels": 3, "fit": "pad"}, "skipped": skipped}
    files.write_json(folder / "dataset.json", described | {"checksums": {}})
    seal_data(folder)
    return folder
