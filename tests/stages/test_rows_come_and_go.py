"""New rows and deleted ones: what is computed again, and that the results are those of a run from nothing."""

import io
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from kith.search.run import Run
from kith.store.prepared import Prepared
from stages import encode, fetch, prepare
from tests.made import COLOURS, picture
from tests.made_encoders import write_encoder
from tests.made_params import write_params
from tests.stages.test_encode import CLIP, methods
from tests.stages.test_train_stage import DATA, digest
from tests.stages.tracking.test_tracking import run_method

pytest.importorskip("transformers")
RUN = Path("runs/shapes/infonce-0")


def change(gone: int, new: int) -> None:
    """Take every tenth of the first rows out of the table, put others at its beginning, and prepare it."""
    table, random = pd.read_parquet("shapes.parquet"), np.random.default_rng(9)
    rows = []
    for number in range(new):
        buffer, colour = io.BytesIO(), COLOURS[number % 4]
        Image.fromarray(picture(colour, "cross", random)).save(buffer, "PNG")
        texts = [f"A {colour} cross {'is ' * (number % 5)}"]
        row = {"id": f"new-{number}", "image": buffer.getvalue(), "texts": texts, "shape": "cross", "split": "train"}
        rows.append({name: row[name] for name in table.columns})
    left = table.drop(index=table.index[: 10 * gone : 10])
    pd.concat([pd.DataFrame(rows, columns=table.columns), left], ignore_index=True).to_parquet("shapes.parquet")
    prepared()


def prepared() -> Prepared:
    fetch.main(out=Path("data/shapes/raw"))
    prepare.main(raw=Path("data/shapes/raw"), out=DATA["data"])
    return Prepared(DATA["data"])


def encoded(capsys) -> tuple[list[list[int]], dict[str, str]]:
    """The numbers that the stage tells of pictures and of texts, and the checksums of what it writes."""
    capsys.readouterr()
    encode.main(encoder="hf_clip", sides="image,text", **DATA, out=CLIP)
    said = capsys.readouterr().err
    lines = re.findall(r"encode: hf:./clip: (.*)", said)
    return [list(map(int, re.findall(r"\d+", line))) for line in lines], {p.name: digest(p) for p in CLIP.iterdir()}


def test_encode_reads_new_rows_alone_and_writes_what_a_run_from_nothing_writes(study, capsys):
    write_encoder("clip", Path("clip"))
    methods(heads={"losses": {"info_nce": {}}})
    encoded(capsys)
    change(gone=7, new=11)
    (pictures, texts), grown = encoded(capsys)
    assert pictures == [11, 244, 233]
    assert texts[0] <= 11
    shutil.rmtree(encode.CACHE)
    (pictures, _), clean = encoded(capsys)
    assert pictures == [244, 244]
    assert clean == grown
    change(gone=5, new=0)
    (pictures, texts), _ = encoded(capsys)
    assert pictures == [0, 239, 239]
    assert texts[0] == 0
    assert len(np.load(CLIP / "features_image.npy")) == 239


def test_a_damaged_file_costs_its_rows_alone(study, capsys, caplog):
    write_encoder("clip", Path("clip"))
    methods(heads={"losses": {"info_nce": {}}})
    _, before = encoded(capsys)
    files = sorted(encode.CACHE.rglob("rows-*.npz"), key=lambda path: path.stat().st_size)
    files[-1].write_bytes(files[-1].read_bytes()[:-100])  # of the pictures
    (pictures, texts), after = encoded(capsys)
    assert (pictures, texts[0]) == ([240, 240], 0)
    assert after == before
    assert len([message for message in caplog.messages if "set aside" in message]) == 1


def test_what_is_kept_stays_below_its_bound(study, capsys, monkeypatch):
    write_encoder("clip", Path("clip"))
    methods(heads={"losses": {"info_nce": {}}})
    monkeypatch.setattr(encode, "MOST", 0)
    encode.main(encoder="hf_clip", sides="image", **DATA, out=CLIP)
    assert "used least lately" in capsys.readouterr().err
    assert not list(encode.CACHE.rglob("rows-*.npz"))


def test_rows_keep_their_split_when_others_come_and_go(study):
    pd.read_parquet("shapes.parquet").drop(columns="split").to_parquet("shapes.parquet")
    content = yaml.safe_load(Path("params.yaml").read_text())
    content["fetch"]["columns"]["split"] = None
    write_params(content)
    before = prepared().table.set_index("id")["split"]
    change(gone=7, new=40)
    after = Prepared(DATA["data"]).table.set_index("id")["split"]
    both = before.index.intersection(after.index)
    assert (len(both), len(after)) == (233, 273)
    assert (before[both] == after[both]).all()
    assert set(before) == {"train", "val", "test"}


def test_a_search_embeds_new_rows_alone_with_the_model_that_is_there(study, capsys):
    run_method("infonce")
    every = Run(RUN, Prepared(DATA["data"]), embed_all=True)
    assert len(every.items) == 240
    change(gone=7, new=11)
    capsys.readouterr()
    data = Prepared(DATA["data"])
    found = Run(RUN, data, embed_all=True)
    said = capsys.readouterr().err
    assert "runs/shapes/infonce-0: was trained on other rows than data/shapes/prepared has" in said
    assert "infonce-0: encoded 11 of 244 images; 233 were known" in said
    assert re.search(r"infonce-0: encoded [1-9] of 477 texts; \d+ were known", said)
    assert "new-3" in set(data.table["id"].iloc[found.items])
    kept = (RUN / "search_vectors.npz").read_bytes()
    (RUN / "search_vectors.npz").unlink()
    Run(RUN, data, embed_all=True)
    assert (RUN / "search_vectors.npz").read_bytes() == kept
    with np.load(RUN / "search_vectors.npz") as arrays:  # no vector of what is gone
        assert [len(arrays[f"{side}_vectors"]) for side in ("image", "text")] == [244, 477]
