"""Every command and every Python block of README.md and docs/ runs: each page from top to bottom, in a copy of a clone
in which the shop of docs/own-data.md has been trained.

What a test cannot have is exchanged: an hour's study for the shop's, files and folders of the reader for made-up ones.
"""

import ast
import re
import shutil
import sysconfig
import venv
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from stages import params
from tests import made_vectors
from tests.documentation import PAGES, ROOT, examples, follow, run
from tests.made_shop import write_shop
from tests.workflow.test_pipeline import clone
from workflow.dag import Dag

pytestmark = pytest.mark.slow

# What is not run from the page, and the test that has to do with it.
ELSEWHERE = {
    "docker compose up": "test_containers.py::test_services_wait_for_what_they_need",  # not built in tests
    "pip install -r requirements-cluster.txt": "docs/test_doc_commands.py::test_the_profiles_have_their_plugins_pinned",
    "KITH_STORE=s3://bucket/folder snakemake --snakefile workflow/s3.smk --cores 2": "workflow/test_s3.py::"
    "test_a_run_reads_its_table_from_the_store_and_stores_its_results_there",
    "dvc remote add --default store s3://bucket/folder": "workflow/test_s3.py::"
    "test_what_is_pushed_is_pulled_elsewhere_and_nothing_is_left_to_do",
    "dvc remote modify store endpointurl https://s3.example.org": "workflow/test_s3.py::"
    "test_what_is_pushed_is_pulled_elsewhere_and_nothing_is_left_to_do",
    "dvc import-url s3://bucket/products.csv shop/products.csv": "workflow/test_s3.py::"
    "test_a_table_is_imported_and_updated",
    "dvc update shop/products.csv.dvc": "workflow/test_s3.py::test_a_table_is_imported_and_updated",
    "kith new shop/products.csv": "stages/test_new.py::test_from_a_table_to_a_study_that_both_engines_find_up_to_date",
    "kith partial": "stages/test_partial.py::test_the_others_are_ranked_and_the_failed_one_is_named_with_its_reason",
}
# The shop's methods are infonce and hierarchy_ce.
SHOP = {"runs/glyphs/": "runs/shop/", "ccal_cont-0": "hierarchy_ce-0"}


def shop_study() -> str:
    """With smaller pictures than the page has."""
    study = next(example.text for example in examples("docs/own-data.md") if example.kind == "yaml")
    assert "size: 128" in study
    return study.replace("size: 128", "size: 32")


@pytest.fixture(scope="session")
def shop(tmp_path_factory) -> Path:
    folder = clone(tmp_path_factory.mktemp("shop") / "clone")
    write_shop(folder / "shop")
    study = yaml.safe_load(shop_study())
    # Small networks, so that the other pages wait for no encoder.
    study |= {"train": {"epochs": 4}}
    (folder / "studies" / "shop.yaml").write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    _virtual_environment(folder / ".venv")
    run("kith study shop && dvc repro && kith adopt", folder)
    run("git config user.name t && git config user.email t@t && git add -A && git commit -qm shop", folder)
    return folder


def _virtual_environment(folder: Path) -> None:
    """As `make setup` leaves it, with the packages of the one that runs the tests."""
    venv.create(folder, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "these.pth").write_text(sysconfig.get_path("purelib"))
    (folder / ".installed").touch()


@pytest.fixture
def folder(shop, tmp_path) -> Path:
    """A copy of the clone, with what else the pages speak of: a picture, a table and a folder of new things."""
    path = tmp_path / "clone"
    shutil.copytree(shop, path, symlinks=True)
    photos = path / "shop" / "photos"
    shutil.copytree(photos, path / "pictures")
    shutil.copy(photos / "A0.jpg", path / "picture.png")
    new = pd.read_csv(path / "shop" / "products.csv").head(20)
    pictures = [(path / "shop" / name).read_bytes() for name in new["photo"]]
    pd.DataFrame({"id": new["sku"], "image": pictures, "text": new["title"]}).to_parquet(path / "new.parquet")
    return path


def test_readme(folder):
    runs = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    (experiment,) = (found for found in runs.search_experiments() if found.name == "shop")
    found = runs.search_runs([experiment.experiment_id], "attributes.run_name = 'infonce-0'")
    stand_ins = {
        "make test": "make --dry-run test",  # these are the tests
        "kith cost runs/glyphs/infonce-0": "kith cost runs/glyphs/infonce-0 --size 1000",
        "train.lr=0.001": "train.lr=0.001 train@infonce-0",  # one training will do
        "kith new products.csv": "kith new shop/products.csv --name products --dry-run",
        "<run id>": found[0].info.run_id,
        "greek capital letter with acute": "a red cross",  # what the shop knows
    }
    try:
        outputs, names = follow("README.md", folder, stand_ins | SHOP, ELSEWHERE)
    finally:
        mlflow.set_tracking_uri(None)
    assert "Results: " in outputs["make repro"]
    assert all(tool in outputs["make test"] for tool in ("ruff check", "ruff format", "mypy", "pytest"))
    assert "Ran experiment" in outputs["dvc exp run -S train.lr=0.001"]
    assert "reports/shop/metrics/infonce.json" in outputs["dvc metrics show"]
    assert all(path.stem in outputs["kith study"] for path in (ROOT / "studies").glob("*.yaml"))
    assert "No problems." in outputs["kith check shop/products.csv"]
    assert "<html" in outputs["kith search --run runs/glyphs/infonce-0 --serve"]
    assert "<title>MLflow" in outputs["make ui"]
    assert len(pd.read_parquet(folder / "vectors.parquet")) == 20
    assert all((folder / name).is_file() for name in ("evolution.png", "exported/image.onnx", "dvc_plots/index.html"))
    assert names["model"].metadata.run_id == found[0].info.run_id


def test_new(folder):
    outputs, _ = follow("docs/new.md", folder, {"pip install -r": "pip install --no-index -r"}, ELSEWHERE)
    assert (
        "columns:" in outputs["kith new shop/products.csv --name mine --methods infonce vsepp --minutes 30 --dry-run"]
    )


def test_coming_from(folder):
    """The names in its tables: tests/docs/test_coming_from.py."""
    made_vectors.write(folder)
    there = {"kith download": "stages/test_download_stage.py"}  # nothing is downloaded in tests
    follow("docs/coming-from.md", folder, SHOP, ELSEWHERE | there)
    assert all((folder / name).is_file() for name in ("evolution.png", "vectors.parquet", "vectors/vectors.npz"))


def test_data_sets(folder):
    # The shop is there; what is downloaded is in tests/test_download_stage.py.
    follow("docs/data-sets.md", folder, {}, ELSEWHERE)
    assert (folder / "data/mine/raw/source.json").is_file()


def test_new_problem(folder):
    small = "fetch.path=tables/pairs.npz --set study.methods='[ccal_cont]' --set train.epochs=2"
    stand_ins = {
        "kith study arrays": "mkdir tables && mv pairs.npz tables && kith study arrays",
        "fetch.path=tables/pairs.npz": small,
        "pip install -r": "pip install --no-index -r",  # it is there
    }
    stand_ins |= {
        "runs/arrays/ccal_tno-0": "runs/shop/infonce-0",
        "runs/arrays/learned_cont-0": "runs/shop/hierarchy_ce-0",
    }
    outputs, _ = follow("docs/new-problem.md", folder, stand_ins, ELSEWHERE)
    assert {"image", "text"} == set(np.load(folder / "tables" / "pairs.npz").files)
    assert (folder / "reports" / "arrays" / "leaderboard.md").is_file()
    assert (folder / "evolution.png").is_file()
    # 500 candidates: chance is an MRR of .014.
    told = re.findall(r"R@1 .*, MRR (0\.\d+), median rank", "".join(outputs.values()))
    assert len(told) == 2
    assert min(map(float, told)) > 0.3, told


def test_own_data(folder):
    (folder / "studies" / "shop.yaml").write_text(shop_study(), encoding="utf-8")
    few = "benchmarks prepare --set rows=200 --set kinds=pictures"
    stand_ins = {"benchmarks prepare": few, "pip install -r": "pip install --no-index -r"}
    stand_ins["snakemake --cores 2"] = "kith adopt && snakemake --cores 2"  # else it makes all again
    outputs, _ = follow("docs/own-data.md", folder, stand_ins, ELSEWHERE)
    checks = [text for text in outputs if text.startswith("kith check")]
    assert "No problems." in outputs[checks[0]]
    assert "categories: level1, level2\n" in outputs[checks[1]]
    assert (folder / "reports" / "shop" / "report.html").exists()
    answers = outputs['kith search --run runs/shop/infonce-0 --text "a red cross"'].splitlines()[2:]
    # Of those held out; a red cross need not be among them.
    assert "Red" in answers[0] or "cross" in answers[0], answers
    assert "<html" in outputs["kith search --run runs/shop/infonce-0 --run runs/shop/hierarchy_ce-0 --serve"]


def test_predict(folder):
    stand_ins = {"pip install -r": "pip install --no-index -r", "runs/glyphs/": "runs/shop/"}  # it is there
    _, names = follow("docs/predict.md", folder, stand_ins, ELSEWHERE)
    assert names["similarity"].shape == (2, 3)
    # The same two words through the graph and through the model.
    expected = names["predict_texts"](names["model"], *names["vocabulary"].encode(["red bar"]))["vector"]
    np.testing.assert_allclose(names["vector"], expected, atol=1e-4)
    assert len(pd.read_parquet(folder / "classes.parquet")) == len(list((folder / "pictures").iterdir()))


def test_reproducing(folder):
    """Every study is chosen; one is planned, as if its data were there. (The plans of all: tests/test_dag.py.)"""
    study = params.check(params.parse((folder / "studies" / "flickr8k.yaml").read_text()))
    (folder / study.fetch.path).parent.mkdir()
    columns = [study.fetch.columns.id, study.fetch.columns.image, *study.fetch.columns.texts, study.fetch.columns.split]
    empty = {str(name): pa.array([], pa.binary() if "image" in str(name) else pa.string()) for name in columns}
    pq.write_table(pa.table(empty), folder / study.fetch.path)
    stand_ins = {
        "flickr8k && snakemake --cores 2": "flickr8k && snakemake --cores 2 --dry-run",
        "&& snakemake --cores all": "",
        "make repro": "make --dry-run repro",
        "NAME": "glyphs",
    }
    outputs, _ = follow("docs/reproducing.md", folder, stand_ins, ELSEWHERE)
    plan = outputs["kith study flickr8k && snakemake --cores 2"]
    assert f"\ntrain {len(study.study.methods) * len(study.study.seeds)}\n" in re.sub(" +", " ", plan)


def test_scaling_out(folder):
    train = next(stage for stage in Dag(folder / "dvc.yaml", folder / "params.yaml").stages if stage.name == "train")
    options = train.fill(train.cmd, train.item({"method": "infonce", "seed": "0"})).partition("stages.train ")[2]
    profile = (ROOT / "workflow/profiles/slurm/config.yaml").read_text(encoding="utf-8")
    (folder.parent / "profile").mkdir()
    without_slurm = re.sub(r"^(executor|slurm-).*\n", "", profile, flags=re.MULTILINE)
    (folder.parent / "profile" / "config.yaml").write_text(without_slurm, encoding="utf-8")
    stand_ins = {
        "snakemake …": "snakemake --cores 2",
        "train@infonce-0 …": "train@infonce-0",
        "runs/glyphs/infonce-0/model.pt": "runs/shop/infonce-0/model.pt",
        # One epoch of the two processes will do.
        "torchrun": "kith study shop --set train.epochs=1; torchrun",
        "benchmarks training": "benchmarks training --set pictures=256 --set networks=resnet:10:8",
        "stages.train …": f"stages.train {options.replace('runs/shop/infonce-0', 'two')}; git checkout params.yaml",
        "8 runs/flickr8k/vsepp-0": "8 runs/shop/infonce-0",
        "snakemake --cores 8 runs": "rm runs/shop/infonce-0/metrics.json; snakemake --cores 8 runs",
        "--profile workflow/profiles/slurm": "--dry-run --forceall --profile ../profile",
        "/mnt/kith-store": "../store",
        'runs/glyphs/infonce-0"': 'runs/shop/infonce-0"',
        "greek small letter alpha": "a red cross",
        "black star": "a blue star",
        "dvc pull": "rm -r data runs .dvc/cache && dvc pull",
    }
    outputs, _ = follow("docs/scaling-out.md", folder, stand_ins, ELSEWHERE)
    assert (folder / "two" / "model.pt").is_file()
    assert "evaluate" in outputs["snakemake --cores 8 runs/flickr8k/vsepp-0/metrics.json"]
    assert all(re.search(r"\ntrain +2\n", said) for command, said in outputs.items() if "--profile" in command)
    assert (folder / "runs/shop/infonce-0/model.pt").is_file()
    assert "Nothing to be done" in run("snakemake --cores 1 --dry-run", folder)


def test_the_profiles_have_their_plugins_pinned():
    """The plugins themselves would have to be downloaded."""
    pinned = (ROOT / "requirements-cluster.txt").read_text(encoding="utf-8")
    for cluster in ("slurm", "kubernetes"):
        profile = yaml.safe_load((ROOT / f"workflow/profiles/{cluster}/config.yaml").read_text(encoding="utf-8"))
        assert f"snakemake-executor-plugin-{profile['executor']}==" in pinned


def test_search(folder):
    # Of these words the shop knows red alone.
    known = {'"Greek capital': '"red Greek capital', '"Black right': '"red, black right'}
    outputs, _ = follow("docs/search.md", folder, SHOP | known | {"data/glyphs/": "data/shop/"}, ELSEWHERE)
    by_text, by_picture, page, _, behind = outputs.values()
    assert "words that the model does not know: greek" in by_text
    assert "bar" in by_picture
    assert "<html" in page
    assert "<html" in behind


def test_cost(folder):
    stand_ins = {
        "pip install -r": "pip install --no-index -r",  # it is there
        "infonce-0 runs/glyphs/dtsh-0": "infonce-0 runs/glyphs/hierarchy_ce-0 --size 1000",
        "greek capital letter alpha": "a red cross",  # what the shop knows
        "data/glyphs/": "data/shop/",
    }
    shop = {word: instead for word, instead in SHOP.items() if word == "runs/glyphs/"}
    outputs, names = follow("docs/cost.md", folder, stand_ins | shop, ELSEWHERE)
    assert (folder / "reports/shop/cost/cost.png").is_file()
    assert "approximately, by int8" in outputs[next(text for text in outputs if text.startswith("kith search"))]
    assert names["ids"].shape == names["similarities"].shape == (1, 5)


def test_new_rows(folder):
    write_shop(folder / "more")
    more, table = pd.read_csv(folder / "more/products.csv"), pd.read_csv(folder / "shop/products.csv")
    for photo in more["photo"]:
        shutil.copy(folder / "more" / photo, folder / "shop" / photo.replace("/A", "/B"))
    more = more.assign(sku="B" + more["sku"], photo=more["photo"].str.replace("/A", "/B"))
    pd.concat([table.drop(index=[3, 5]), more]).to_csv(folder / "shop/products.csv", index=False)
    outputs, _ = follow("docs/new-rows.md", folder, {}, ELSEWHERE)
    drift, _, search = outputs.values()
    assert "192 new rows of 382; 190 were there in training" in drift
    assert "train again" in drift.splitlines()[-1]
    assert "among all 382 items" in search


def test_audit(folder):
    stand_ins = {"runs/glyphs/": "runs/shop/", "data/glyphs/": "data/shop/"}
    outputs, _ = follow("docs/audit.md", folder, stand_ins, ELSEWHERE)
    assert "All of them: data/shop/audit/audit.csv" in outputs["kith audit"]
    assert pd.read_csv(folder / "data/shop/audit/costs.csv")["run"].isin(["infonce-0", "hierarchy_ce-0"]).all()
    assert (folder / "faults" / "audit.parquet").is_file()


def test_evaluate(folder):
    made_vectors.write(folder)
    outputs, _ = follow("docs/evaluate.md", folder, {"pip install -r": "pip install --no-index -r"}, ELSEWHERE)
    assert "Recall@100" in outputs['kith evaluate --trec-run ours.run --label "Our run" --qrels qrels.txt']


def test_extending(folder):
    outputs, _ = follow("docs/extending.md", folder, {}, ELSEWHERE)
    assert "up to date" in outputs["dvc status"]


def test_metrics(folder):
    before = (folder / "docs/metrics.md").read_text()
    follow("docs/metrics.md", folder, {}, ELSEWHERE)
    assert (folder / "docs/metrics.md").read_text() == before


def test_mlflow(folder):
    stand_ins = {'"glyphs"': '"shop"', "greek capital letter with acute": "a red cross"}
    try:
        outputs, names = follow("docs/mlflow.md", folder, stand_ins, ELSEWHERE)
    finally:
        mlflow.set_tracking_uri(None)
    assert "Nothing waits." in outputs["kith track --send"]
    assert names["vectors"].shape[0] == 1


def test_methods(folder):
    outputs, _ = follow("docs/methods.md", folder, {}, ELSEWHERE)
    assert "| `circle` |" in outputs["python -m kith.losses.table"]


def test_encoders(folder):
    """The methods of the page are checked; its packages are those of the tests."""
    follow("docs/encoders.md", folder, {}, ELSEWHERE)


def test_triplets(folder):
    small = "--set batch=20 --set per_class=2 --set pictures=40 --set width=8 --set epochs=1"
    small += " --set methods=triplet_semihard"
    outputs, _ = follow("docs/triplets.md", folder, {"mining_training": f"mining_training {small}"}, ELSEWHERE)
    assert "| triplet_semihard |" in outputs["python -m benchmarks mining_training"]


def test_troubleshooting(folder):
    stand_ins = {"kith check FILE": "kith check shop/products.csv", "--cores N": "--cores 2"}
    stand_ins |= {"<study>/<run>": "shop/infonce-0"}
    outputs, _ = follow("docs/troubleshooting.md", folder, stand_ins, ELSEWHERE)
    assert "up to date" in outputs["dvc status"]


def test_every_page_with_something_to_run_is_followed():
    for page in PAGES:
        if any(example.kind in ("python", "command", "inline") for example in examples(page)):
            assert f"test_{Path(page).stem.lower().replace('-', '_')}" in globals(), page


def test_blocks_that_are_not_run():
    """Whatever is neither shell, Python nor YAML is known to be no command."""
    kinds = {"python", "command", "inline", "yaml"}
    others = [(page, example) for page in PAGES for example in examples(page) if example.kind not in kinds]
    assert [(page, example.text.split()[0]) for page, example in others] == [
        ("docs/audit.md", "id,mark,label,text"),
        ("docs/concepts.md", "fetch"),
        ("docs/new-problem.md", "test,"),
        ("docs/new-rows.md", "no"),
        ("docs/own-data.md", "sku,photo,title,description,level1,level2"),
        ("docs/search.md", "server"),
    ]


def test_commands_of_other_tests_are_in_the_pages_and_the_tests_are_there():
    told = {example.text for page in PAGES for example in examples(page)}
    for command, test in ELSEWHERE.items():
        assert command in told
        path, _, name = test.partition("::")
        tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
