"""The part that kith new takes of a table that is too large: whole groups, and cells that mean what they meant."""

import numpy as np
import pandas as pd
import pytest

from kith.data import readers
from kith.data.rows import Columns
from stages.creating.sampling import sample


@pytest.mark.parametrize("field", ["group", "image"])
def test_rows_without_a_group_or_a_picture_are_drawn_each_by_itself(tmp_path, field):
    names = [f"g{number // 4}" if number % 2 else "" for number in range(2000)]
    pd.DataFrame({"of": names, "text": "words"}).to_csv(tmp_path / "t.csv", index=False)
    columns = Columns(**{"image": None, "texts": ("text",), field: "of"})
    sample(tmp_path / "t.csv", columns, 0.5, tmp_path / "s.parquet")
    found = pd.read_parquet(tmp_path / "s.parquet")["of"]
    if field == "image":
        found = found.map(lambda each: each["path"])
    assert 400 < (found == "").sum() < 600
    assert set(found[found != ""].value_counts()) == {2}


def test_splits_and_lists_of_texts_mean_the_same_in_the_sample(tmp_path):
    splits = np.array(["train", "val", "test"])[np.arange(300) % 3]
    texts = [f"['a red fox', 'fox {number}']" for number in range(300)]
    pd.DataFrame({"texts": texts, "part": splits}).to_csv(tmp_path / "t.csv", index=False)
    columns = Columns(image=None, texts=("texts",), split="part")
    sample(tmp_path / "t.csv", columns, 0.5, tmp_path / "s.parquet")
    found = pd.read_parquet(tmp_path / "s.parquet")
    numbers = [int(each[1].removeprefix("fox ")) for each in found["texts"]]
    assert 100 < len(numbers) < 200
    assert {each[0] for each in found["texts"]} == {"a red fox"}
    assert list(found["part"]) == list(splits[numbers])


def test_pictures_may_be_missing_from_many_rows(tmp_path):
    """The first thousand cells do not say what the others are."""
    pictures = [None] * 1500 + [{"bytes": None, "path": "a.png"}, {"bytes": b"b", "path": None}] * 300
    pd.DataFrame({"image": pictures, "text": "words"}).to_parquet(tmp_path / "t.parquet")
    columns = Columns(texts=("text",))
    sample(tmp_path / "t.parquet", columns, 1.0, tmp_path / "s.parquet")
    cells = [cell for batch in readers.batches(tmp_path / "s.parquet", ["image"]) for cell in batch["image"]]
    assert cells == pictures
