"""`kith evaluate`: the published figures from the files of the published program, the commands of its page, and what it
refuses."""

import hashlib
import importlib.util
import json
import pickle
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages import cli
from tests.documentation import examples
from tests.made_vectors import write

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "hierarchy"
PAGE = "docs/evaluate.md"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def evaluate(command: str) -> None:
    cli.main(["evaluate", *shlex.split(command)])


def table(path: str) -> pd.Series:
    (row,) = pd.read_csv(path).to_dict("records")
    return pd.Series(row)


@pytest.mark.skipif(not GOLDEN.exists(), reason="no golden data")
@pytest.mark.parametrize("name", ["retrieval_tree_1000", "retrieval_tree_1000_l2norm"])
def test_figures_of_the_published_program_from_its_files(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("recipe", GOLDEN / "recipe.py")
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    edges = np.load(GOLDEN / "hierarchy_cifar100.npz")["edges"]
    features, labels = recipe.tree_features(1000, edges, sigma=2.5)
    with open("features.pickle", "wb") as file:
        pickle.dump({"feat": features}, file)
    np.save("labels.npy", labels)
    np.savetxt("edges.txt", edges, fmt="%d")
    norm = "cosine" if name.endswith("l2norm") else "euclidean"
    evaluate(
        "--vectors features.pickle --label theirs --classes labels.npy --taxonomy edges.txt "
        f"--similarity {norm} --k 1 10 50 100 --out out.csv --curves curves.csv"
    )
    found, summary = table("out.csv"), json.loads((GOLDEN / f"{name}.json").read_text())
    expected = summary["full"] | {key: value for key, value in summary["clip250"].items() if "AHP" in key}
    assert len(expected) == 13
    for key, value in expected.items():
        ours = key.replace("P@", "HP@") if key.startswith("P@") else key.replace("AP", "mAP") if key == "AP" else key
        assert found[ours.replace(" (LCS_HEIGHT)", "")] == pytest.approx(value, abs=1e-6), key
    if norm == "euclidean":
        theirs = np.loadtxt(GOLDEN / "retrieval_tree_1000_curve.csv", delimiter=";", skiprows=1)
        ours = pd.read_csv("curves.csv")
        assert list(ours) == ["k", "theirs"]
        np.testing.assert_allclose(ours.to_numpy(), theirs, rtol=0, atol=1e-12)


def test_the_commands_of_the_page_run(folder, capsys):
    pages = ("docs/coming-from.md", PAGE)
    told = [example.text for page in pages for example in examples(page)]
    commands = list(dict.fromkeys(text for text in told if text.startswith("kith evaluate ")))
    assert len(commands) >= 15
    for command in commands:
        evaluate(command.removeprefix("kith evaluate "))
        assert "queries " in capsys.readouterr().out, command
    markdown = Path("table.md").read_text().splitlines()
    assert markdown[0] == "|  | Our method | Their method |"
    columns = pd.read_csv("table.csv")
    assert list(columns["label"]) == ["Our method", "Their method"]
    assert {"queries", "candidates", "mAP", "HP@10", "AHP@250", "AHP (WUP)", "R@1 (%)", "MAP@R"} <= set(columns)
    assert pd.read_csv("curves.csv").shape == (29, 3)
    assert all(Path(name).read_bytes().startswith(b"\x89PNG") for name in ("curves.png", "recall.png"))


def test_vectors_and_the_run_that_is_written_of_them_have_one_measure(folder, capsys):
    vectors = "--vectors documents.npz --queries queries.npz --depth 7"
    evaluate(f"{vectors} --qrels qrels.txt --write-trec-run ours.run --out vectors.csv")
    evaluate("--trec-run ours.run --qrels qrels.txt --out run.csv")
    evaluate(f"{vectors} --qrels beir --out beir.csv")
    evaluate(f"{vectors} --write-trec-run again.run")
    names = ["nDCG@10", "MAP", "Recall@100", "P@10", "MRR"]
    one, two, three = (table(name)[names].tolist() for name in ("vectors.csv", "run.csv", "beir.csv"))
    assert one == two == three
    assert 0 < one[0] < 1
    assert len(Path("ours.run").read_text().splitlines()) == 21
    digests = {hashlib.sha256(Path(name).read_bytes()).hexdigest() for name in ("ours.run", "again.run")}
    assert len(digests) == 1
    Path("ours.run").write_text("".join(f"{line}\n" for line in Path("ours.run").read_text().splitlines()[7:]))
    capsys.readouterr()
    evaluate("--trec-run ours.run --qrels qrels.txt --out run.csv")
    assert "ours.run: has no list for 1 of the 3 judged queries; these count as 0" in capsys.readouterr().err
    assert table("run.csv")["MRR"] < one[4]


def test_a_run_has_the_figures_that_its_study_has(trained_study, monkeypatch, tmp_path):
    monkeypatch.chdir(trained_study)
    run = "runs/shapes/infonce-0"
    tree = "data/shapes/prepared/taxonomy.parquet"
    measured = json.loads(Path(run, "metrics.json").read_text())["splits"]["test"]["metrics"]
    evaluate(f"--vectors {run} --split test --taxonomy {tree} --out {tmp_path}/classes.csv")
    evaluate(f"--vectors {run}:image --queries {run}:text --split test --taxonomy {tree} --out {tmp_path}/pairs.csv")
    evaluate(f"--vectors {run}:text --queries {run}:image --split test --out {tmp_path}/back.csv")
    for path, group, names in (
        ("classes.csv", "image_to_image", {"mAP": "map", "AHP": "AHP", "AHP@250 (WUP)": "AHP@250_wup"}),
        ("pairs.csv", "text_to_image", {"R@1 (%)": "R@1", "MRR": "mrr", "median rank": "median_rank"}),
        ("back.csv", "image_to_text", {"R@1 (%)": "R@1", "MRR": "mrr", "mAP": "map"}),
    ):
        found = table(f"{tmp_path}/{path}")
        assert {name: found[name] for name in names} == pytest.approx(
            {name: measured[f"{group}/{key}"]["value"] for name, key in names.items()}, abs=1e-5
        )
    pairs = table(f"{tmp_path}/pairs.csv")
    names = {
        "HP@10": "HP@10",
        "AHP@250": "AHP@250",
        "H-AP": "HAP",
        "nDCG": "NDCG",
        "mistake severity": "mistake_severity",
    }
    for name, key in names.items():
        assert pairs[name] == pytest.approx(measured[f"text_to_image_taxonomy/{key}"]["value"], abs=1e-5), name
    for command, said in (
        (f"--vectors {run}", f"{run}: holds the splits "),
        (f"--vectors {run}:sound --split test", f"{run}:sound: a run has image and text"),
        ("--vectors runs/shapes --split test", "runs/shapes: no such run"),
    ):
        with pytest.raises(SystemExit, match=f"error: {said}"):
            evaluate(command)


def test_rows_that_embed_has_left_empty_are_left_out_and_counted(trained_study, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(trained_study)
    given = pd.read_parquet("shapes.parquet").query("split == 'test'").explode("texts").groupby("id").head(1)
    given.loc[given.index[1], "image"], given.loc[given.index[2], "texts"] = b"no picture", ""
    given.rename(columns={"texts": "text", "shape": "label"}).to_parquet(tmp_path / "new.parquet")
    vectors = f"{tmp_path}/vectors.parquet"
    cli.main(
        [
            "embed",
            "--run",
            "runs/shapes/infonce-0",
            "--input",
            f"{tmp_path}/new.parquet",
            "--out",
            vectors,
            "--skip-bad",
        ]
    )
    capsys.readouterr()
    evaluate(f"--vectors {vectors}:image --queries {vectors}:text --out {tmp_path}/pairs.csv")
    told = capsys.readouterr().err
    for side in ("image", "text"):
        assert f"{vectors}:{side}: 1 rows have a problem in place of a vector, and are left out" in told
    assert f"{vectors}:text: 1 queries whose partner has no vector are left out" in told
    found = table(f"{tmp_path}/pairs.csv")
    assert found["queries"] == len(given) - 2
    assert found["candidates"] == len(given) - 1


def test_an_empty_vector_without_a_reason_stays_a_fault(folder, capsys):
    rows = pd.DataFrame({"id": ["x", "y", "z"], "label": ["a", "a", "b"], "vector": [[1.0, 0.0], None, [0.0, 1.0]]})
    rows.to_parquet("a.parquet")
    assert "a.parquet: row 1 (id 'y'): column 'vector' has no vector" in fault(capsys, "--vectors a.parquet")
    rows.assign(vector=None, problem="broken").to_parquet("a.parquet")
    assert "no row of column 'vector' has a vector; its column 'problem' says why" in fault(
        capsys, "--vectors a.parquet:vector"
    )


def test_a_text_has_the_class_of_its_picture(folder):
    pictures = np.load("ours.npz")
    np.savez("texts.npz", vectors=pictures["vectors"], ids=pictures["ids"])
    evaluate("--vectors ours.npz --queries texts.npz --taxonomy taxonomy.txt --out own.csv")
    evaluate("--vectors ours.npz --queries texts.npz --taxonomy taxonomy.txt --classes classes.csv --out told.csv")
    assert Path("own.csv").read_text() == Path("told.csv").read_text()
    assert table("own.csv")["HP@1"] == 1
    evaluate("--vectors database.npz --queries codes.npz --match class --taxonomy taxonomy.txt --clip 20 --out in.csv")
    assert 0 < table("in.csv")["AHP@20"] < 1


def test_beir_leaves_out_the_query_itself(folder):
    np.savez("queries.npz", vectors=np.load("documents.npz")["vectors"][:1], ids=["i0"])
    Path("qrels.txt").write_text("i0 0 i1 1\n")
    Path("beir/qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\ni0\ti1\t1\n")
    for qrels in ("qrels.txt", "beir"):
        evaluate(f"--vectors documents.npz --queries queries.npz --qrels {qrels} --write-trec-run {qrels}.run")
    with_itself, others = (
        [line.split()[2] for line in Path(name).read_text().splitlines()] for name in ("qrels.txt.run", "beir.run")
    )
    assert with_itself[0] == "i0"
    assert others == with_itself[1:]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("", "name vectors to measure: --vectors FILE"),
        ("--vectors ours.npz --trec-run a.run --qrels qrels.txt", "--trec-run: is measured in place of vectors"),
        ("--trec-run a.run", "--trec-run: is measured by judgments; give --qrels"),
        ("--vectors ours.npz --qrels qrels.txt", "--qrels: judges what queries find; give --queries"),
        ("--vectors ours.npz --measure MRR", "--measure: is of judgments; give --qrels"),
        (
            "--vectors ours.npz --queries ours.npz --classes classes.csv",
            "--classes: queries look for what has their id",
        ),
        ("--vectors ours.npz --match class", "--match class: has a meaning with --queries alone"),
        ("--vectors ours.npz --match id", "--match: it says what is right for --queries, without --qrels"),
        ("--vectors ours.npz --clip 100", "--clip: it is of AHP, which needs --taxonomy"),
        ("--vectors ours.npz --taxonomy-order child-parent", "--taxonomy-order: it is of --taxonomy; give one"),
        ("--vectors ours.npz --depth 10", "--depth: it is of lists that are judged or written: --qrels, --write-trec"),
        (
            "--vectors documents.npz --queries queries.npz --qrels qrels.txt --classes classes.csv",
            "--classes: with judgments, or where a run file is written, it means nothing; leave it out",
        ),
        ("--vectors documents.npz --queries queries.npz --qrels qrels.txt --taxonomy taxonomy.txt", "--taxonomy: with"),
        ("--vectors documents.npz --queries queries.npz --write-trec-run a.run --k 5", "--k: a run file is written"),
        ("--trec-run a.run --qrels qrels.txt --binary", "--binary: a run file has no vectors"),
        ("--trec-run a.run --qrels qrels.txt --similarity dot", "--similarity: a run file has its scores already"),
        ("--vectors ours.npz --similarity dot", "--similarity dot: has a meaning with --qrels"),
        ("--vectors ours.npz --queries ours.npz --similarity euclidean", "--similarity euclidean: has a meaning"),
        ("--vectors ours.npz --queries ours.npz ours.npz", "--queries: give one for all --vectors, or one for each"),
        ("--vectors ours.npz --write-trec-run a.run", "--write-trec-run: writes what queries find in one file"),
        ("--vectors ours.npz --k 0", "--k, --clip and --depth: expected 1 or more"),
        ("--vectors ours.npz --label a b", "--label: 2 names for 1 files"),
        ("--vectors ours.npz ours.npz --label a a", "--label: two columns are called 'a'"),
        ("--vectors ours.npz --out table.txt", "--out table.txt: unknown suffix '.txt'; take .csv, .md, .png, .svg"),
        ("--vectors ours.npz --curves a.md", "--curves a.md: what is written is CSV"),
        ("--vectors ours.npz --out a.png", "curves are of HP@k, with --taxonomy, or of R@k, with --queries"),
        ("--vectors pairs.npz", "pairs.npz: holds 'image_vectors', 'text_vectors'; say which"),
        ("--vectors features.pickle", "features.pickle: has no labels: give --classes"),
        ("--vectors ours.npz codes.npz --queries ours.npz", "codes.npz has binary codes, ours.npz has none"),
        ("--vectors runs/a-0", "runs/a-0: no such file"),
        ("--vectors codes.npz --queries codes.npz --match class", "codes.npz: has 'i0', 'i1', 'i10'"),
        ("--vectors ours.npz --split test", "--split test: none of the files has splits; leave it out"),
        ("--trec-run a.run --qrels qrels.txt --split dev", "--split: of a run file there is none"),
        ("--vectors ours.npz --out a.csv --curves a.csv", "--curves a.csv: --out writes this file too"),
        (
            "--vectors documents.npz --queries queries.npz --qrels qrels.txt --measure nDCG@0",
            "--measure nDCG@0: cutoff",
        ),
        (
            "--vectors documents.npz --queries queries.npz --qrels qrels.txt --measure 'P(rel=0)@5'",
            "--measure P(rel=0)@5",
        ),
        ("--trec-run qrels.txt --qrels qrels.txt", "qrels.txt: line 1: expected query, Q0, document, rank, score"),
    ],
)
def test_what_does_not_go_together_is_told_in_one_sentence(folder, capsys, command, said):
    with pytest.raises(SystemExit) as ended:
        evaluate(command)
    told = f"{ended.value.code}{capsys.readouterr().err}"
    assert f"error: {said}" in told
    assert told.count("\n") == 0
    assert not list(folder.glob("*.csv.*"))
    assert not (folder / "a.png").exists()


def put(name: str, **arrays) -> None:
    np.savez(name, vectors=np.random.default_rng(3).normal(size=(6, 4)), **arrays)


def fault(capsys, command: str) -> str:
    with pytest.raises(SystemExit) as ended:
        evaluate(command)
    return f"{ended.value.code}{capsys.readouterr().err}"


def test_rows_without_a_key_belong_to_nothing(folder, capsys):
    ids = ["x", "y", "", "", "z", "w"]
    put("a.npz", ids=ids)
    put("b.npz", ids=ids)
    assert "b.npz: row 2 (id ''): has no id" in fault(capsys, "--vectors a.npz --queries b.npz")


def test_items_that_stand_twice_and_labels_that_differ_are_refused(folder, capsys):
    put("a.npz", ids=list("abcabc"), labels=list("ccdccd"))
    assert "a.npz: row 3 (id 'a'): row 0 has the same id" in fault(capsys, "--vectors a.npz")
    put("a.npz", ids=list("abcdef"), labels=list("ccdccd"))
    put("b.npz", ids=list("abcdef"), labels=list("cdcddc"))
    assert "a.npz and b.npz have other labels for the same items" in fault(capsys, "--vectors a.npz b.npz")


def test_minus_one_is_no_class(folder, capsys):
    put("a.npz", labels=[-1, -1, -1, 0, 0, 1])
    evaluate("--vectors a.npz --out a.csv")
    assert "a.npz: 3 vectors without a label are left out" in capsys.readouterr().err
    assert table("a.csv")["queries"] == 3


def test_labels_of_another_shape_are_named(folder, capsys):
    put("a.npz", labels=np.zeros((6, 1)))
    assert "a.npz: array 'labels' has the shape (6, 1); expected (n,)" in fault(capsys, "--vectors a.npz")


def test_judgments_without_a_line_are_named(folder, capsys):
    Path("qrels.txt").write_text("query-id\tcorpus-id\tscore\n")
    said = fault(capsys, "--vectors documents.npz --queries queries.npz --qrels qrels.txt")
    assert "qrels.txt: has no judgments" in said


def test_packed_bytes_of_few_bits_are_eight_of_them(folder):
    labels = ["a", "a", "b"]
    pd.DataFrame({"id": list("xyz"), "label": labels, "image_code": [b"\x01", b"\x00", b"\x01"]}).to_parquet(
        "c.parquet"
    )
    evaluate("--vectors c.parquet:image_code --out c.csv")
    assert table("c.csv")["Hamming bits"] == 8


def test_without_the_package_it_is_named(folder, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "ir_measures", None)
    with pytest.raises(SystemExit) as ended:
        evaluate("--vectors documents.npz --queries queries.npz --qrels qrels.txt")
    assert "--qrels needs the package ir-measures: pip install -r requirements-trec.txt" in str(ended.value.code)
