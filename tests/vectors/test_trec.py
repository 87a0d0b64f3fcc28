"""Judgments and ranked lists: the files of TREC and BEIR, one order of equals, and measures as trec_eval has them."""

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kith.errors import KithError
from kith.vectors import beir, trec
from kith.vectors.sets import VectorSet
from kith.vectors.standard import DEFAULT, judged
from kith.vectors.trec import order, ranked, read_qrels, read_run, run_lines

KEYS = list("abcdefgh")
# Few scores, so that many tie; two differ in double precision alone.
SCORES = st.sampled_from([0.0, 0.5, 0.5 + 1e-9, 0.75, -1.0])
RUNS = st.dictionaries(st.sampled_from(["q1", "q2", "q3"]), st.dictionaries(st.sampled_from(KEYS), SCORES, min_size=1))
QRELS = st.dictionaries(
    st.sampled_from(["q1", "q2", "q3"]),
    st.dictionaries(st.sampled_from(KEYS), st.integers(0, 3), min_size=1),
    min_size=1,
)


def directly(levels: dict[str, int], documents: list[str]) -> dict[str, float]:
    """The default measures of one list, by their definitions."""
    gains = [levels.get(document, 0) for document in documents]
    relevant = sum(level > 0 for level in levels.values())
    right = [place for place, gain in enumerate(gains, start=1) if gain > 0]

    def dcg(values: list[int]) -> float:
        return sum(value / np.log2(place + 1) for place, value in enumerate(values[:10], start=1))

    ideal = dcg(sorted(levels.values(), reverse=True))
    return {
        "nDCG@10": dcg(gains) / ideal if ideal else 0.0,
        "MAP": sum((i + 1) / place for i, place in enumerate(right)) / relevant if relevant else 0.0,
        "Recall@100": len(right) / relevant if relevant else 0.0,
        "P@10": len([place for place in right if place <= 10]) / 10,
        "MRR": 1 / right[0] if right else 0.0,
    }


@settings(max_examples=60, deadline=None)
@given(QRELS, RUNS)
def test_measures_and_ties_as_by_definition_and_as_in_trec_eval(qrels, run):
    found = judged(qrels, run)
    each = [directly(levels, order(run.get(query, {}))) for query, levels in qrels.items()]
    assert found == pytest.approx({name: np.mean([one[name] for one in each]) for name in DEFAULT}, abs=1e-9)
    # The library sorts by itself, as trec_eval, if it gets the scores.
    measures = [ir_measures.parse_measure(name) for name in ("nDCG@10", "AP", "R@100", "P@10", "RR")]
    theirs = ir_measures.pytrec_eval.calc_aggregate(measures, qrels, run)
    assert list(found.values()) == pytest.approx([theirs[measure] for measure in measures], abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(RUNS.filter(bool))
def test_a_run_file_has_the_order_in_its_ranks_and_is_read_back(tmp_path_factory, run):
    path = tmp_path_factory.getbasetemp() / "a.run"
    path.write_text("".join(f"{line}\n" for line in run_lines(run, "mine one")))
    again = read_run(path)
    assert {query: order(scores) for query, scores in again.items()} == {q: order(s) for q, s in run.items()}
    for line in path.read_text().splitlines():
        query, _, key, rank, _, tag = line.split()
        assert order(run[query])[int(rank) - 1] == key
        assert tag == "mine_one"
    library = {(each.query_id, each.doc_id): each.score for each in ir_measures.read_trec_run(str(path))}
    assert {key: np.float32(score) for key, score in library.items()} == {
        (query, key): np.float32(score) for query, scores in run.items() for key, score in scores.items()
    }


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 9), st.booleans(), st.integers(0, 1000))
def test_lists_are_the_best_of_all_in_the_order(depth, dot, seed):
    """Of vectors of which many are the same."""
    random = np.random.default_rng(seed)
    queries, documents = (random.integers(-1, 2, (n, 2)).astype(np.float32) for n in (3, 8))
    asked = VectorSet("q", queries, False, ids=np.array(["a", "x", "y"]))
    known = VectorSet("d", documents, False, ids=random.permutation(KEYS))
    whole = ranked(asked, known, depth=8, dot=dot)
    assert all(len(scores) == 8 and list(scores) == order(scores) for scores in whole.values())
    near = queries @ documents.T
    lengths = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(documents, axis=1)
    near = near if dot else near / np.maximum(lengths, 1e-9)
    expected = {q: dict(zip(known.ids, row, strict=True)) for q, row in zip(asked.ids, near.tolist(), strict=True)}
    for query, scores in whole.items():
        assert scores == pytest.approx(expected[query], abs=1e-6)
        cut = ranked(asked, known, depth, dot)[query]
        assert list(cut) == list(scores)[:depth]
        others = ranked(asked, known, depth, dot, others=True)[query]
        assert list(others) == [key for key in scores if key != query][:depth]


def test_measures_by_their_names():
    qrels, run = {"q": {"a": 1, "b": 2}}, {"q": {"c": 3.0, "b": 2.0, "a": 1.0}}
    found = judged(qrels, run, ["map", "mrr", "P(rel=2)@2", "Rprec", "ndcg@1"])
    assert found == pytest.approx(
        {"map": (1 / 2 + 2 / 3) / 2, "mrr": 0.5, "P(rel=2)@2": 0.5, "Rprec": 0.5, "ndcg@1": 0}
    )
    for name, said in (
        ("P", "--measure P: it lacks a number, as in P@10"),
        ("nothing", "--measure nothing: measure not found: nothing"),
        ("nDCG@x", "--measure nDCG@x: "),
        ("alpha_nDCG@10", "--measure alpha_nDCG@10: trec_eval does not have it"),
    ):
        with pytest.raises(KithError, match=said):
            judged(qrels, run, [name])


def test_qrels_of_trec_and_of_beir(tmp_path):
    trec_file, beir_file = tmp_path / "qrels.txt", tmp_path / "test.tsv"
    trec_file.write_text("q1 0 a 1\nq1 0 b 0\n\nq2\t0\tc\t2\n")
    beir_file.write_text("query-id\tcorpus-id\tscore\nq1\ta\t1\nq1\tb\t0\nq2\tc\t2\n")
    assert read_qrels(trec_file) == read_qrels(beir_file) == {"q1": {"a": 1, "b": 0}, "q2": {"c": 2}}


@pytest.mark.parametrize(
    ("content", "reads", "said"),
    [
        ("q 0 a 1\nq a\n", read_qrels, "line 2: expected query, 0, document and relevance; found 2 words"),
        ("q 0 a high\n", read_qrels, "line 1: the relevance 'high' is no whole number"),
        ("q 0 a 1\nq 0 a 2\n", read_qrels, "line 2: document 'a' of query 'q' stands here for the second time"),
        ("\n", read_qrels, "is empty"),
        ("q Q0 a 1 0.5\n", read_run, "line 1: expected query, Q0, document, rank, score and name; found 5 words"),
        ("q Q0 a 1 nan x\n", read_run, "line 1: the score 'nan' is no number"),
        ("q Q0 a 1 much x\n", read_run, "line 1: the score 'much' is no number"),
        ("q Q0 a 1 2 x\nq Q0 a 2 1 x\n", read_run, "line 2: document 'a' of query 'q' stands here for the second time"),
    ],
)
def test_lines_that_do_not_fit_are_named(tmp_path, content, reads, said):
    path = tmp_path / "file.txt"
    path.write_text(content)
    with pytest.raises(KithError, match=f"file.txt: {said}"):
        reads(path)


def test_ids_that_a_run_file_cannot_hold():
    with pytest.raises(KithError, match="the id 'two words' is empty or has white space in it"):
        list(run_lines({"q": {"two words": 1.0}}, "x"))
    twice = VectorSet("d", np.eye(2), False, ids=np.array(["a", "a"]))
    with pytest.raises(KithError, match=r"d: row 1 \(id 'a'\): row 0 has the same id"):
        ranked(twice, twice)


def test_vectors_and_judgments_are_proved_to_belong_together(tmp_path):
    def named(name, ids):
        return VectorSet(name, np.ones((len(ids), 2)), False, ids=np.array(list(ids)))

    qrels = {"q": {"a": 1, "z": 1}}
    said = beir.prove(tmp_path / "f", qrels, named("q.npz", ["q", "r"]), named("d.npz", "ab"))
    assert said == [
        f"{tmp_path / 'f'}: judges 1 documents without a vector, which cannot be found",
        "q.npz: 1 queries are not judged, and left out",
    ]
    with pytest.raises(KithError, match=r"q.npz: has no vector for 'q', which .*f judges; add it"):
        beir.prove(tmp_path / "f", qrels, named("q.npz", "r"), named("d.npz", "ab"))
    with pytest.raises(KithError, match=r"d.npz: has none of the documents that .*f judges, such as 'a'"):
        beir.prove(tmp_path / "f", qrels, named("q.npz", "q"), named("d.npz", "xy"))
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\nq\ta\t1\n")
    (tmp_path / "corpus.jsonl").write_text('{"_id": "a"}\n{"_id": "b"}\n')
    with pytest.raises(KithError, match=r"test.tsv: no such file; it has 'dev': choose with --split"):
        beir.judgments(tmp_path, None)
    assert beir.judgments(tmp_path, "dev") == {"q": {"a": 1}}
    assert beir.prove(tmp_path, {"q": {"a": 1}}, named("q.npz", "q"), named("d.npz", "ab")) == []
    with pytest.raises(KithError, match=r"d.npz: has no vector for 'b' of .*corpus.jsonl; add it"):
        beir.prove(tmp_path, {"q": {"a": 1}}, named("q.npz", "q"), named("d.npz", "a"))
    with pytest.raises(KithError, match=r"d.npz: 'c' is not in .*corpus.jsonl; leave it out"):
        beir.prove(tmp_path, {"q": {"a": 1}}, named("q.npz", "q"), named("d.npz", "abc"))
    (tmp_path / "corpus.jsonl").write_text('{"id": "a"}\n')
    with pytest.raises(KithError, match=r"corpus.jsonl: line 1: expected an object in braces with the field _id"):
        trec.read_ids(tmp_path / "corpus.jsonl")
