"""Two tables, one set of trained runs: whatever is asked with the other table's data is refused, and says why."""

import shutil
from contextlib import chdir
from pathlib import Path

import pandas as pd
import pytest

import kith
from kith.errors import KithError
from kith.search.run import Run
from kith.store.prepared import Prepared
from kith.store.provenance import note, parameters, proved
from stages import compare, embed, evaluate, export, fetch, files, neighbors, params, prepare, taxonomy, text, train
from tests.made_notes import embed_files, evaluate_files
from tests.stages.test_train_stage import DATA, INPUTS, MEANING, edit, outputs

RUN = Path("runs/shapes/infonce-0")
OTHER = Path("data/other")


@pytest.fixture(scope="module")
def both(trained_study, tmp_path_factory) -> Path:
    """The trained study, and the same pictures of another table, whose rows are in another order, prepared beside."""
    folder = tmp_path_factory.mktemp("both") / "study"
    shutil.copytree(trained_study, folder)
    with chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr("stages.tracking.runs.available", lambda: False)
        kept = Path("params.yaml").read_text()
        pd.read_parquet("shapes.parquet").iloc[::-1].to_parquet("other.parquet")
        edit(fetch={"path": "other.parquet"})
        fetch.main(out=OTHER / "raw")
        prepare.main(raw=OTHER / "raw", out=OTHER / "prepared")
        text.main(data=OTHER / "prepared", out=OTHER / "text")
        neighbors.main(data=OTHER / "prepared", text=OTHER / "text", out=OTHER / "neighbors")
        taxonomy.main(data=OTHER / "prepared", out=OTHER / "taxonomy")
        Path("params.yaml").write_text(kept)
    return folder


@pytest.fixture
def there(both, tmp_path, monkeypatch) -> Path:
    shutil.copytree(both, tmp_path / "both")
    monkeypatch.chdir(tmp_path / "both")
    monkeypatch.setattr("stages.tracking.runs.available", lambda: False)
    return tmp_path


def test_the_other_tables_data_are_refused_everywhere_or_embedded_anew(there, capsys):
    other = OTHER / "prepared"
    with pytest.raises(KithError, match=r"embedded\.json: was made of other data than data/other/prepared; .*--data"):
        Run(RUN, Prepared(other))
    Run(RUN, Prepared(other), embed_all=True)
    assert (
        "was trained on other rows than data/other/prepared has; all are embedded as it is" in capsys.readouterr().err
    )
    with pytest.raises(KithError, match=r"embedded\.json: was made of other data"):
        kith.load(RUN, data=other).search(text="a red bar")
    with pytest.raises(KithError, match=r"embedded\.json: was made of other data"):
        export.main(run=RUN, format="npz", out=there / "out", data=other)
    with pytest.raises(KithError, match=r"trained\.json: was made of other data"):
        embed.main(data=other, **embed_files(RUN))
    with pytest.raises(KithError, match=r"trained\.json: was made of other data"):
        evaluate.main(method="infonce", seed=0, data=other, **MEANING, **evaluate_files(RUN))


@pytest.mark.parametrize("name", ["text", "taxonomy"])
def test_an_evaluation_with_another_tables_meaning_is_refused(there, name):
    with pytest.raises(KithError, match=rf"data/other/{name}/made_of\.json: was made of other data than data/shapes"):
        evaluate.main(method="infonce", seed=0, **DATA, **MEANING | {name: OTHER / name}, **evaluate_files(RUN))


@pytest.mark.parametrize("name", ["neighbors", "taxonomy"])
def test_a_training_with_another_tables_meaning_is_refused(there, name):
    with pytest.raises(KithError, match=rf"data/other/{name}/made_of\.json: was made of other data than data/shapes"):
        train.main(method="neighborhood", seed=0, **INPUTS | {name: OTHER / name}, **outputs("neighborhood-0"))
    assert not Path("runs/shapes/neighborhood-0").exists()


def test_a_run_of_another_name_is_refused(there):
    with pytest.raises(KithError, match=r"trained\.json: is of infonce, seed 0, not of vsepp, seed 1"):
        evaluate.main(method="vsepp", seed=1, **DATA, **MEANING, **evaluate_files(RUN))


def test_a_retrained_model_needs_new_embeddings(there):
    shutil.copy("runs/shapes/hierarchy_ce-0/model.pt", RUN / "model.pt")
    with pytest.raises(KithError, match=r"embedded\.json: was made with another model than .*; run the embed stage"):
        export.main(run=RUN, format="npz", out=there / "out")


def test_comparing_refuses_what_was_measured_otherwise(there):
    edit(study={"methods": ["infonce"]})
    settings, runs = params.load(), Path("runs/shapes")
    data = Prepared(DATA["data"]).checksum
    assert len(compare.read_runs(settings, runs, data)) == 1
    with pytest.raises(KithError, match=r"evaluated\.json: was made of other data"):
        compare.read_runs(settings, runs, Prepared(OTHER / "prepared").checksum)
    edit(evaluate={"bootstrap": 50})
    with pytest.raises(KithError, match=r"infonce-0: was evaluated with other parameters than params\.yaml"):
        compare.read_runs(params.load(), runs, data)
    content = files.read_json(RUN / "metrics.json")
    files.write_json(RUN / "metrics.json", content | {"edited": True})
    with pytest.raises(KithError, match=r"metrics\.json: is not the file that the evaluate stage noted"):
        compare.read_runs(settings, runs, data)


def test_what_was_made_with_other_parameters_is_refused(there):
    edit(study={"methods": ["infonce"]}, train={"epochs": 7, "threads": 1})
    data = Prepared(DATA["data"]).checksum
    refused = r"runs/shapes/infonce-0: trained with other parameters .*\(epochs \d+, not 7\): run `dvc repro` or"
    with pytest.raises(KithError, match=refused):
        embed.main(**DATA, **embed_files(RUN))
    with pytest.raises(KithError, match=refused):
        evaluate.main(method="infonce", seed=0, **DATA, **MEANING, **evaluate_files(RUN))
    with pytest.raises(KithError, match=refused):
        compare.read_runs(params.load(), Path("runs/shapes"), data)


@pytest.mark.parametrize(("section", "values"), [("embed", {"batch_size": 3}), ("text", {"seed": 7})])
def test_an_evaluation_of_what_has_other_parameters_is_refused(there, section, values):
    edit(**{section: values})
    with pytest.raises(KithError, match=rf"the stage {section} ran with other parameters than params\.yaml has"):
        evaluate.main(method="infonce", seed=0, **DATA, **MEANING, **evaluate_files(RUN))


def test_a_model_alone_embeds_and_is_exported(there, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(RUN / "model.pt", alone)
    assert kith.load(alone).embed_texts(["a red bar"]).shape == (1, 16)
    with pytest.raises(KithError, match=r"prepared/dataset\.json: no such file; .*--data"):
        kith.load(alone).search(text="a red bar")
    with pytest.raises(KithError, match=r"embedding_rows\.npz: no such file"):
        kith.load(alone, data=DATA["data"]).search(text="a red bar")


def test_prepared_files_that_were_changed_are_refused(there):
    folder = DATA["data"]
    shutil.copy(OTHER / "prepared/images.npy", folder)
    data = Prepared(folder)
    with pytest.raises(KithError, match=r"images\.npy: is not the file that dataset\.json describes"):
        _ = data.images
    with pytest.raises(KithError, match=r"images\.npy: is not the file"):
        embed.main(data=folder, **embed_files(RUN))
    (folder / "taxonomy.parquet").unlink()
    with pytest.raises(KithError, match=r"taxonomy\.parquet: no such file; run the prepare stage"):
        _ = data.taxonomy
    pd.read_parquet(folder / "items.parquet").iloc[::-1].to_parquet(folder / "items.parquet")
    with pytest.raises(KithError, match=r"items\.parquet: is not the file that dataset\.json describes"):
        Prepared(folder)
    for content in ("[]", "{}", '{"checksums": [1]}', "{"):
        (folder / "dataset.json").write_text(content)
        with pytest.raises(KithError, match=r"dataset\.json: cannot be read"):
            Prepared(folder)


def test_files_of_another_study_are_refused_by_comparing_and_training(there):
    edit(study={"methods": ["infonce"]})
    settings, data = params.load(), Prepared(DATA["data"])
    with pytest.raises(KithError, match=r"data/other/neighbors/made_of\.json: was made of other data"):
        compare.read_quality(OTHER / "neighbors", data.checksum, params.load())
    shutil.copy("runs/shapes/hierarchy_ce-0/history.parquet", RUN)
    with pytest.raises(KithError, match=r"history\.parquet: is not the file that the train stage noted"):
        compare.read_runs(settings, Path("runs/shapes"), data.checksum)
    Path("data/shapes/text/text_vectors.npy").unlink()
    with pytest.raises(KithError, match=r"text_vectors\.npy: no such file; run the text stage again"):
        neighbors.main(**DATA, text=Path("data/shapes/text"), out=Path("data/shapes/neighbors"))
    edit(train={"text": {"tower": "gru", "embedding": 12, "hidden": 16, "pretrained_words": True}})
    with pytest.raises(KithError, match=r"data/other/text/made_of\.json: was made of other data"):
        train.main(method="infonce", seed=0, **INPUTS | {"text": OTHER / "text"}, **outputs("infonce-0"))


def test_storage_may_lie_behind_links(there):
    shutil.move("runs", there / "elsewhere")
    Path("runs").symlink_to(there / "elsewhere")
    assert kith.load(RUN).search(text="a red bar", count=1)


def test_notes(tmp_path):
    result, told = tmp_path / "a.bin", tmp_path / "note.json"
    result.write_bytes(b"a")
    with pytest.raises(KithError, match=r"note\.json: no such file, so nobody knows"):
        proved(told, [result], "train")
    told.write_text("[]")
    with pytest.raises(KithError, match=r"note\.json: cannot be read \(it is no note of a stage\)"):
        proved(told, [result], "train")
    files.write_json(told, note([result], data="d" * 64))
    assert proved(told, [result], "train", data="d" * 64)["files"]["a.bin"]
    with pytest.raises(KithError, match="other data than the other inputs"):
        proved(told, [result], "train", data="e" * 64)
    result.unlink()
    with pytest.raises(KithError, match=r"a\.bin: no such file; run the train stage again"):
        proved(told, [result], "train")
    assert parameters({"a": 1, "b": 2}) == parameters({"b": 2, "a": 1}) != parameters({"a": 1, "b": 3})
