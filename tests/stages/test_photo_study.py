"""A study on photographs goes through the same stages as one on an array, to the same results."""

import json
from pathlib import Path

from stages import prepare
from stages.search import main as search
from tests.made_notes import seal
from tests.stages.test_train_stage import digest, edit
from tests.stages.tracking.test_tracking import run_method

RESULTS = ("model.pt", "history.parquet", "embeddings_image.npy", "embeddings_text.npy", "queries.parquet")


def test_photographs_are_trained_embedded_and_searched_like_an_array(study, capsys):
    edit(train={"epochs": 2, "augment": {"flip": True, "resized_crop": [0.5, 1.0]}})
    found = {}
    for store in ("array", "photos"):
        edit(prepare={"image": {"size": 16, "store": store}})
        prepare.main(raw=Path("data/shapes/raw"), out=Path("data/shapes/prepared"))
        assert Path("data/shapes/prepared/images.npy").exists() == (store == "array")
        seal(Path(), "shapes")  # texts and neighbours are the same
        run = run_method()
        found[store] = {name: digest(run / name) for name in RESULTS}
    assert found["array"] == found["photos"]
    capsys.readouterr()
    search(run=[run], item="red-cross-0", embed_all=True, count=2, json=True)
    (answer,) = json.loads(capsys.readouterr().out)
    assert len(answer["results"]) == 2
