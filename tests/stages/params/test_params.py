import copy
import functools
import re
from pathlib import Path

import pytest
import yaml

from kith.data.sources import SOURCES
from kith.errors import KithError
from stages import params
from stages.params.complete import given as completed
from stages.params.schema import merged
from workflow import yamls

ROOT = Path(__file__).resolve().parents[3]
CONTENT = yaml.safe_load((ROOT / "params.yaml").read_text())
STUDIES = sorted((ROOT / "studies").glob("*.yaml"))


def changed(path: str, value) -> dict:
    content = copy.deepcopy(CONTENT)
    *parents, key = path.split(".")
    section = content
    for parent in parents:
        section = section.setdefault(parent, {})
    section[key] = value
    return content


@pytest.mark.parametrize("study", sorted((ROOT / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_ready_made_studies_are_valid(study):
    loaded = params.check(params.complete(params.parse(study.read_text())))
    assert loaded.study.name
    assert study.read_text().startswith("# Study:")


def test_every_preset_is_a_method():
    for name, preset in params.presets().items():
        trained = preset.get("train", {}).get("epochs") != 0
        # A CCA layer needs batches larger than its dimension; what is not trained needs an encoder.
        own = {"dim": 16} | ({} if trained else {"image": {"encoder": "lite0"}})
        own |= {"text": {"encoder": "minilm"}} if name == "linear_cca" else {}
        method = params.check(changed("methods", CONTENT["methods"] | {name: {"train": own}})).method(name)
        assert bool(method.losses.terms()) == trained


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("train.epoch", 3, "train.epoch: no such parameter; did you mean 'epochs'?"),
        ("train.optimizer", "adamv", "(given: 'adamv'); did you mean 'adam"),
        ("fetch.source", "Glyphs", "(given: 'Glyphs'); did you mean 'glyphs'?"),
        ("study.name", "a;b", "study.name: a name has letters, digits and _ alone"),
        ("study.seeds", [0, 1, 0], "study: seeds names 0 twice"),
        ("study.methods", ["vsepp", "vsepp"], "study: methods names vsepp twice"),
        ("trian", {}, "trian: no such parameter; did you mean 'train'?"),
        ("train.image.depht", 18, "train.image.depht: no such parameter; did you mean 'depth'?"),
        ("train.lr", -1, "train.lr: Input should be greater than 0 (given: -1)"),
        ("train.lr", "fast", "train.lr: Input should be a valid number"),
        ("study.methods", ["nope"], "study.methods names 'nope', which is not under methods"),
        ("study.methods", ["vsep"], "nor a preset; did you mean 'vsepp'?"),
        ("methods.infonce", {"preset": "info_nc"}, "methods.infonce.preset: no preset 'info_nc'"),
        ("methods.own", {}, "methods.own: losses: name at least one of info_nce"),
        ("methods.own", {"losses": {}}, "methods.own: losses: name at least one of info_nce"),
        (
            "methods.vsepp",
            {"losses": {"pairwise_hinge": {"margn": 1}}},
            "methods.vsepp.losses.pairwise_hinge.margn: no such parameter; did you mean 'margin'?",
        ),
        ("expect", {"nope": {}}, "expect names 'nope'"),
        ("expect", {"infonce": {"text_to_image/R@1": {"value": 1}}}, "expect.infonce.text_to_image/R@1"),
        (
            "train.projection",
            {"kind": "cca"},
            "methods.infonce: a CCA layer needs a batch larger than its dimension: train.batch_size 128, train.dim 128",
        ),
        ("train.text.tokenizer", "minilm", "train.text: pretrained_words starts from vectors of words"),
        (
            "train.text",
            {"tokenizer": "minilm", "pretrained_words": False, "tokens": {}},
            "train.text: tokens chooses among words; leave it out, or the tokenizer",
        ),
        ("train.augment.zoom", [256, 480], "methods.infonce: augment.zoom needs augment.crop"),
        ("train.augment.resized_crop", [0.08, 1.5], "train.augment.resized_crop.1"),
        ("train.l2", 0.1, "methods.infonce: train.l2 is for the optimizers adam and sgd"),
        ("methods.own", {"losses": {"trace_norm": {}}}, "methods.own: losses.trace_norm needs train.projection.kind"),
        ("fetch.arrays", {"image": "x"}, "fetch: the source glyphs does not take arrays"),
        ("fetch", {"source": "cub", "path": "x", "variant": "a"}, "fetch: the source cub does not take variant"),
        ("fetch", {"source": "cars", "path": "x", "columns": {}}, "fetch: the source cars does not take columns"),
        ("fetch", {"source": "cifar1000", "path": "x"}, "fetch.source: Input should be 'glyphs', 'table'"),
        (
            "fetch",
            {"source": "table", "path": "x", "taxonomy_order": "child-parent"},
            "fetch: taxonomy_order is for a taxonomy",
        ),
        ("fetch", {"source": "nab", "path": "x", "taxonomy_order": "up"}, "fetch.taxonomy_order: Input should be"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_key(path, value, message):
    with pytest.raises(KithError) as error:
        params.check(changed(path, value))
    assert str(error.value).startswith("params.yaml: ")
    assert message in str(error.value)


@pytest.mark.parametrize("source", SOURCES.values(), ids=lambda source: source.name)
def test_the_schema_takes_of_every_source_what_it_takes(source):
    params.Fetch(source=source.name, path="x", **dict.fromkeys(source.options & {"class_names", "taxonomy"}, "y"))
    assert source.options <= set(params.Fetch.model_fields)


@pytest.mark.parametrize(
    ("columns", "more", "message"),
    [
        ({"label": "a", "categories": ["b"]}, {}, "fetch.columns: categories are the label too"),
        ({"categories": ["b"]}, {"taxonomy": "x.csv"}, "fetch: columns.categories are a taxonomy by themselves"),
    ],
)
def test_categories_are_label_and_taxonomy(columns, more, message):
    with pytest.raises(KithError, match=message):
        params.check(changed("fetch", {"source": "table", "path": "x", "columns": columns, **more}))


def write(folder: Path, content: dict) -> Path:
    path = folder / "params.yaml"
    path.write_text(yamls.write(content))
    return path


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("neighbors", r"neighbors: no such section; `kith study NAME` fills in"),
        ("train.clip_norm", r"missing: 'train.clip_norm'; `kith study glyphs` fills in"),
        ("prepare.image.fit", r"missing: 'prepare.image.fit'"),
        ("methods.infonce.losses.info_nce.temperature", r"missing: 'methods.infonce.losses.info_nce.temperature'"),
        ("methods.infonce.targets", r"missing: 'methods.infonce.targets'"),
        ("inputs", r"missing: 'inputs'"),
    ],
)
def test_nothing_is_left_to_a_default(tmp_path, key, message):
    content = copy.deepcopy(CONTENT)
    *path, last = key.split(".")
    del functools.reduce(dict.__getitem__, path, content)[last]
    with pytest.raises(KithError, match=message):
        params.load(write(tmp_path, content), methods=True)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("study.seeds", [0, 1]),
        ("methods.infonce.train.start", "other/model.pt"),
        ("train.image.weights", "resnet.pt"),
        ("methods.infonce.train.text", {"tokenizer": "mine/tokenizer.json", "pretrained_words": False}),
        ("class_embedding.words", "words.parquet"),
    ],
)
def test_files_and_trainings_that_the_dag_does_not_know_are_refused(tmp_path, key, value):
    with pytest.raises(KithError, match=r"inputs: is not what the other sections say; .*`kith study glyphs --set"):
        params.load(write(tmp_path, changed(key, value)))


@pytest.mark.parametrize("name", ["words", "spaced", "minilm"])
def test_tokenizers_that_are_no_files_are_none_to_the_dag(tmp_path, name):
    loaded = params.load(
        write(tmp_path, changed("methods.infonce.train.text", {"tokenizer": name, "pretrained_words": False}))
    )
    assert loaded.method("infonce").train.text.tokenizer == name


@pytest.mark.parametrize("given", [None, {"sentences": 2}])
def test_what_a_tower_reads_of_texts_stands_in_the_file_where_it_is_given(given):
    text = params.complete(changed("methods.infonce.train.text", {"tokens": given}))
    whole = given and {"sentences": 2, "min_length": 3, "stop_words": True}
    assert text["methods"]["infonce"]["train"]["text"]["tokens"] == whole
    assert "tokens" not in text["train"]["text"]


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.stem)
def test_the_schema_refuses_or_passes_on(study, tmp_path):
    """What stages get is what the file says: the schema derives nothing, so it need not be a dependency of stages."""
    content = params.complete(params.parse(study.read_text()))
    loaded = params.load(write(tmp_path, content), methods=True)
    for name in content.keys() - {"inputs", "methods"}:
        assert completed(getattr(loaded, name)) == content[name]
    for name, own in content["methods"].items():
        given = completed(loaded.method(name))
        assert {key: given[key] for key in given if key != "train"} | {"train": own["train"]} == own
        assert given["train"] == merged(content["train"], own["train"])


def test_a_preset_named_by_hand_is_told_with_the_command_that_takes_it(tmp_path):
    content = params.complete(CONTENT)
    content["study"]["methods"] = ["siglip"]
    with pytest.raises(KithError) as error:
        params.load(write(tmp_path, content))
    assert "names the preset 'siglip', which is not under methods (there: " in str(error.value)
    assert "--set study.methods=[siglip]` puts it there" in str(error.value)
    assert "did you mean" not in str(error.value)


def test_1e_3_is_a_number(tmp_path):
    text, changed = re.subn(r"^  lr: .*$", "  lr: 1e-3", (ROOT / "params.yaml").read_text(), flags=re.MULTILINE)
    assert changed == 1
    (tmp_path / "params.yaml").write_text(text)
    assert params.load(tmp_path / "params.yaml").train.lr == 0.001


def test_files_that_are_no_params(tmp_path):
    with pytest.raises(KithError, match="no such file"):
        params.load(tmp_path / "params.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(KithError, match="expected sections"):
        params.load(tmp_path / "list.yaml")
    for text, message in (
        ("a: [1\n", "line 2, column 1"),
        ("a: 1\nb: 2\na: 3\n", 'line 3, column 1: found duplicate key "a"'),
        ("a:\n\t- 1\n", "line 2, column 1: found character"),
    ):
        (tmp_path / "broken.yaml").write_text(text)
        with pytest.raises(KithError, match=f"broken.yaml: not valid YAML: {message}"):
            params.load(tmp_path / "broken.yaml")


def test_a_method_is_its_preset_then_the_study_then_its_own_words():
    content = changed("train.lr", 0.5)
    content["methods"]["mine"] = {
        "preset": "vsepp",
        "losses": {"pairwise_hinge": {"margin": 0.4}, "info_nce": {"weight": 0.0}},
        "train": {"dim": 7, "image": {"width": 9}},
    }
    method = params.check(content).method("mine")
    hinge = {"weight": 1.0, "margin": 0.4, "negatives": "hardest", "warmup_epochs": 5}
    hinge |= {"reduction": "sum", "symmetric": True, "distance": "cosine"}
    assert method.losses.terms() == {"pairwise_hinge": hinge}
    assert (method.train.lr, method.train.dim, method.train.image.width) == (0.5, 7, 9)
    assert method.train.image.tower == CONTENT["train"]["image"]["tower"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("study:\n  note: é\n".encode("latin-1"), "line 2: is not UTF-8 text; save the file as UTF-8"),
        ("study: {}\n".encode("utf-16"), "line 1: is not UTF-8 text; save the file as UTF-8"),
        (b"study: \0\n", "not valid YAML: unacceptable character #x0000"),
        (b"study: " + b"[" * 1999, "not valid YAML: "),
        (b"", "expected sections"),
    ],
)
def test_a_file_that_is_no_yaml_is_one_line(tmp_path, content, told):
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(KithError, match=f"params.yaml: {told}") as error:
        params.load(path)
    assert "\n" not in str(error.value)
    assert "unicode string" not in str(error.value)


def test_a_mark_of_the_byte_order_and_breaks_of_windows_are_read(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert yamls.text_of(path) == "a: 1\nb: 2\n"
    with pytest.raises(KithError, match=r"nothing\.yaml: no such file"):
        yamls.text_of(tmp_path / "nothing.yaml")


def test_ridges_are_relative_but_in_the_published_presets():
    """What is saved of methods of before has no word of it: their models keep their bytes."""
    content = {
        "study": {"name": "two", "methods": ["ccal_cont", "infonce", "mine"]},
        "fetch": {"source": "glyphs", "path": "glyphs.yaml"},
        "train": {"epochs": 1, "dim": 16},
        "methods": {"mine": {"losses": {"info_nce": {}}, "train": {"projection": {"kind": "cca"}}}},
    }
    whole = params.check(params.complete(content))
    found = {name: whole.method(name) for name in content["study"]["methods"]}
    assert {name: method.train.projection.options().get("relative") for name, method in found.items()} == {
        "ccal_cont": None, "infonce": None, "mine": True
    }  # fmt: skip
    saved = {name: method.model_dump(exclude_none=True)["train"]["projection"] for name, method in found.items()}
    assert ["relative" in projection for projection in saved.values()] == [False, False, True]
