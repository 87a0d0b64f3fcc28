"""The report: figures and one page from the files of a finished study."""

import html.parser
import io
import json
import platform
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kith.errors import KithError
from kith.evaluation.describe import describe, rankings
from kith.plots import style as plots
from kith.store.classes import Classes
from kith.store.prepared import Prepared
from stages import params, report, tracking
from stages.params import Report
from stages.reporting import charts
from stages.reporting import examples as report_examples
from stages.reporting import page as report_page
from stages.reporting import spaces as report_spaces
from tests import made_report
from tests.made_notes import seal
from tests.made_report import METHODS, glyphs, make_study, paths

FIGURES = {
    "ahp",
    "hierarchical_precision",
    "precision_recall",
    "gallery_image_to_image",
    "curves",
    "evolution",
    "gallery_image_to_text",
    "gallery_text_to_image",
    "leaderboard",
    "neighbors",
    "recall_at_k",
    "taxonomy",
    "tsne",
    "tsne_methods",
}
VOID = {"meta", "img", "link", "br", "hr", "input"}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("report")
    make_study(root, seeds=(0, 1), texts_each=2)
    return root


@pytest.fixture
def study(made, tmp_path, monkeypatch) -> dict[str, Path]:
    """A copy of the finished study, as the current directory."""
    shutil.copytree(made, tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    monkeypatch.setattr(tracking, "log_report", lambda figures, page, runs: None)
    return paths(Path())


@pytest.fixture(scope="module")
def page(made) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        patch.setattr(tracking, "log_report", lambda figures, page, runs: None)
        report.main(**paths(Path()))
    return paths(made)["page"].read_text()


class Outline(html.parser.HTMLParser):
    """Checks that tags are closed in order; collects tags with their attributes, and the text."""

    def __init__(self, page: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_every_figure_is_written_and_embedded(made, page):
    written = {path.stem: path.read_bytes() for path in paths(made)["figures"].glob("*.png")}
    assert set(written) == FIGURES
    assert all(Image.open(io.BytesIO(png)).format == "PNG" for png in written.values())
    images = [attributes for tag, attributes in Outline(page).tags if tag == "img"]
    assert len(images) == len(FIGURES)
    assert all(each["alt"] for each in images)


def test_the_hierarchical_precision_of_every_k_is_a_table(made, page):
    table = pd.read_csv(paths(made)["figures"] / "hierarchical_precision.csv")
    assert list(table) == ["method", "seed", "k", "precision"]
    found = table.groupby(["method", "seed"])["k"].agg(list)
    clip = json.loads((made / "runs/glyphs/infonce-0/metrics.json").read_text())["splits"]["test"]["metrics"]
    assert {len(each) for each in found} == {table["k"].max()}
    assert all(each == list(range(1, len(each) + 1)) for each in found)
    told = clip["image_to_image/HP@10"]["value"]
    chosen = (table["method"] == "infonce") & (table["seed"] == 0) & (table["k"] == 10)
    assert table.loc[chosen, "precision"].item() == pytest.approx(told, abs=1e-6)


def test_the_page_needs_nothing_else_and_is_small(page):
    for tag, attributes in Outline(page).tags:
        assert tag not in ("link", "iframe", "base")
        assert "href" not in attributes
        assert "src" not in attributes or attributes["src"].startswith("data:image/png;base64,")
    assert not re.search(r"https?://|@import|url\(", page)
    assert len(page) < 2_500_000


def test_the_page_tells_what_was_found(made, page):
    text = " ".join(" ".join(Outline(page).words).split())
    board_text = text[text.index("Leaderboard of the test split") : text.index("All figures")]
    places = [board_text.index(f" {method} ") for method in METHODS]
    assert places == sorted(places)
    assert board_text.index(" chance ") > places[-1]
    for said in (
        "Split val",
        "Expected values",
        "Parameters of vsepp",
        "pairwise_hinge",
        "label agreement@10",
        "0.412",
    ):
        assert said in text
    assert re.search(r"infonce test/mean/mrr 0.99 ± 0.01 [\d.]+ off wishful <thinking>", text)
    assert "Bitstream Vera licence; <b>free</b>" in text  # escaped, or it would have been a tag
    of_items = {figure for figure in FIGURES if figure.startswith("gallery") or figure == "neighbors"}
    assert text.count("Licence of the data: Bitstream Vera licence; <b>free</b>.") == len(of_items) + 1  # and the foot
    assert "row 3 (blank)" in text
    assert json.loads((made / "data/glyphs/prepared/dataset.json").read_text())["checksums"]["images.npy"] in text


def test_the_figures_of_the_page_are_those_of_the_leaderboard(made, page):
    board = pd.read_csv(made / "reports/glyphs/leaderboard.csv")
    best = board[board["split"] == "test"].iloc[0]
    assert f"mean reciprocal rank of both directions <b>{best['mean/mrr']:.3f}</b>" in page
    assert f"± {best['mean/mrr sd']:.3f}, {best['low']:.3f}–{best['high']:.3f}" in page
    assert f">{best['text_to_image/R@10']:.1f} <small>± {best['text_to_image/R@10 sd']:.1f}</small>" in page


def test_the_page_holds_no_place_or_machine(made, page):
    assert str(made) not in page
    assert platform.node() not in re.sub(r"base64,[^\"]+", "", page)


def test_the_same_study_elsewhere_gives_the_same_bytes(made, page, study):
    report.main(**study)
    assert study["page"].read_text() == page
    for path in study["figures"].iterdir():
        assert path.read_bytes() == (made / path).read_bytes(), path


def test_old_figures_vanish_empty_ones_are_left_out_and_the_report_is_tracked(study, monkeypatch):
    table = study["neighbors"] / "neighbors.parquet"
    pd.read_parquet(table).iloc[:0].to_parquet(table)
    seal(Path(), "glyphs")
    study["figures"].mkdir(exist_ok=True)
    (study["figures"] / "old.png").write_bytes(b"old")
    logged = []
    monkeypatch.setattr(tracking, "log_report", lambda *paths: logged.append(paths))
    monkeypatch.setattr("kith.plots.png", lambda figure: b"picture")
    report.main(**study)
    assert {path.stem for path in study["figures"].iterdir()} == FIGURES - {"neighbors"}
    assert 'id="neighbors"' not in study["page"].read_text()
    assert logged == [(study["figures"], study["page"], study["runs"])]
    assert not list(study["compared"].glob(".*"))


def test_histories_without_training_mrr_have_no_evolution(study):
    path = study["runs"] / "vsepp-1/history.parquet"
    pd.read_parquet(path).drop(columns="train_mrr").to_parquet(path)
    settings = params.load()
    board = report.read_leaderboard(study["compared"] / "leaderboard.csv").query("split == 'test'")
    assert set(charts.of_methods(settings.study, board, study["runs"])) == {"leaderboard", "recall_at_k", "curves"}


def feature_study(root: Path, monkeypatch, *shapes: tuple[int, ...]) -> dict[str, Path]:
    make_study(root, n=60, features=shapes)
    monkeypatch.chdir(root)
    monkeypatch.setattr(tracking, "log_report", lambda figures, page, runs: None)
    return paths(Path())


def test_vectors_without_meaning_get_a_report_without_examples(tmp_path, monkeypatch):
    study = feature_study(tmp_path, monkeypatch, (40,), (30,))
    report.main(**study)
    found = {path.stem for path in study["figures"].iterdir()}
    assert found == {"curves", "evolution", "leaderboard", "recall_at_k", "tsne"}
    text = " ".join(" ".join(Outline(study["page"].read_text()).words).split())
    assert "image features 40 text features 30 seed 0" in text
    for absent in ("What infonce finds", "Neighbourhoods in meaning", "hard 5-way", "pictures 32", "0 labels"):
        assert absent not in text
    board = (study["compared"] / "leaderboard.md").read_text()
    assert "image features 40; text features 30; licence" in board
    for absent in ("Semantic", "hard 5-way", "labels", " texts;"):
        assert absent not in board


def test_maps_are_shown_as_grey_pictures_on_both_sides(tmp_path, monkeypatch):
    study = feature_study(tmp_path, monkeypatch, (1, 20, 24), (1, 16, 12))
    report.main(**study)
    found = {path.stem for path in study["figures"].iterdir()}
    classes = {"ahp", "hierarchical_precision", "precision_recall", "gallery_image_to_image", "tsne_methods"}
    assert found == FIGURES - classes - {"neighbors", "taxonomy"}
    text = " ".join(" ".join(Outline(study["page"].read_text()).words).split())
    assert "Text features ask for image features" in text
    assert "image features 1×20×24 text features 1×16×12" in text
    views = report_examples.Appearances(Prepared(study["data"]))
    array = Prepared(study["data"]).features("text")
    lowest, highest = (np.unravel_index(place, array.shape) for place in (array.argmin(), array.argmax()))
    assert views.text(lowest[0]).shape == (16, 12, 1)
    assert views.text(lowest[0])[lowest[2], lowest[3], 0] == 0
    assert views.text(highest[0])[highest[2], highest[3], 0] == 255
    assert views.image(3).dtype == np.uint8
    _, _, _, matches = shown(study, "image_to_text")
    assert {answer.shape for match in matches for answer in match.answers} == {(16, 12, 1)}
    assert {match.query.shape for match in matches} == {(20, 24, 1)}


def test_maps_of_one_value_are_black(tmp_path):
    assert not report_examples.Maps(np.full((2, 1, 3, 3), 7, dtype=np.float32))[1].any()
    assert [report_examples.is_map(shape) for shape in ((1, 4, 5), (3, 4, 5), (40,), ())] == [True, False, False, False]


def test_text_vectors_beside_pictures_are_shown_by_their_ids(study):
    path = study["data"] / "items.parquet"
    items = pd.read_parquet(path)
    items.assign(texts=[[] for _ in range(len(items))]).to_parquet(path)
    np.save(study["data"] / "features_text.npy", np.zeros((len(items), 4), dtype=np.float32))
    seal(Path(), "glyphs")
    views = report_examples.Appearances(Prepared(study["data"]))
    assert views.text(3) == items["id"].iloc[3]
    assert np.array_equal(views.image(3), Prepared(study["data"]).images[3])


def test_a_leaderboard_without_a_column_or_a_row_is_refused(study):
    path = study["compared"] / "leaderboard.csv"
    board = pd.read_csv(path)
    board.drop(columns="low").to_csv(path, index=False)
    with pytest.raises(KithError, match=r"leaderboard\.csv: no column low; .*dvc repro"):
        report.main(**study)
    board.iloc[:0].to_csv(path, index=False)
    with pytest.raises(KithError, match=r"leaderboard\.csv: no rows"):
        report.main(**study)


def test_the_test_split_comes_first_and_methods_keep_their_order(tmp_path):
    rows = {"split": ["test_b", "test_b", "test", "test", "val"], "method": list("xyyxx"), "seeds": 1}
    rows |= dict.fromkeys(("mean/mrr", "low", "high", "p", "place low", "place high"), 0.5) | {"letters": "a"}
    pd.DataFrame(rows).to_csv(tmp_path / "board.csv", index=False)
    board = report.read_leaderboard(tmp_path / "board.csv")
    assert list(board["split"]) == ["test", "test", "test_b", "test_b", "val"]
    assert list(board["method"]) == list("yxxyx")


def shown(study: dict[str, Path], direction: str):
    """Queries of the best method in one direction, with the matches that the gallery shows of them."""
    run = study["runs"] / "infonce-0"
    queries = pd.read_parquet(run / "queries.parquet").query("split == 'test' and direction == @direction")
    data = Prepared(study["data"])
    items = data.table
    views, space = report_examples.Appearances(data), report_spaces.Space(run, data)
    return queries, items, views, report_examples.matches(queries, Report(queries=12), items, views, space)


def test_galleries_show_the_answers_of_their_queries(study):
    queries, items, _, matches = shown(study, "text_to_image")
    images = Prepared(study["data"]).images
    known = {texts[0]: row for row, texts in enumerate(items["texts"])}
    checked = [each for each in matches if each.query in known]  # the second texts are all alike
    assert checked
    for match in checked:
        row = known[match.query]
        query = queries[(queries["row"] == row) & (queries["text"] == 0)].iloc[0]
        assert list(match.right) == [hit == row for hit in query["hits"]]
        assert all(np.array_equal(a, images[hit]) for a, hit in zip(match.answers, query["hits"], strict=True))
        assert list(match.similarities) == list(query["similarities"])
    assert 0 < sum(match.right[0] for match in matches) < len(matches)


def test_texts_found_are_those_that_were_nearest(study):
    """An item found with its second text shows that one: compared with a search over all texts."""
    texts = [f"text {i}" for i in range(200)]
    queries, items, _, _ = shown(study, "image_to_text")
    items["texts"] = [texts[2 * i : 2 * i + 2] for i in range(len(items))]
    space = report_spaces.Space(study["runs"] / "infonce-0", Prepared(study["data"]))
    gallery = np.flatnonzero((items["split"] == "test").to_numpy()[space.text_rows])
    for query in queries.itertuples():
        similarity = space.texts[gallery] @ space.images[np.searchsorted(space.image_rows, query.row)]
        nearest = gallery[np.argsort(-similarity, kind="stable")[:5]]
        places = nearest - np.searchsorted(space.text_rows, space.text_rows[nearest])
        assert space.nearest_texts(query.row, query.hits) == list(places)


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 12))
def test_half_of_the_queries_shown_are_wrong_where_there_are_enough(right, count):
    flags = np.array(right, dtype=bool)
    chosen = report_examples.mixed(flags, count, seed=0)
    assert len(set(chosen)) == len(chosen) == min(count, len(right))
    found = list(flags[chosen])
    assert found == sorted(found, reverse=True)
    assert found.count(False) >= min(count // 2, right.count(False))
    assert found.count(True) >= min(count - count // 2, right.count(True))


def test_every_figure_has_a_title_and_a_caption(page):
    told = yaml.safe_load(report_page.FIGURES_FILE.read_text())
    assert set(told) == FIGURES | {"codes"}
    text = " ".join(" ".join(Outline(page).words).split())
    assert all(told[name]["caption"] in text for name in FIGURES)


def test_methods_carry_their_line_in_the_tables(page):
    lines = [attributes for tag, attributes in Outline(page).tags if tag == "line"]
    looks = plots.looks(pd.Series(list(METHODS)))
    assert {each["stroke"] for each in lines} == {look["color"] for look in looks.values()}
    assert len({(each["stroke"], each["stroke-dasharray"]) for each in lines}) == len(METHODS)
    assert set(report_page.DASHES) == set(plots.LINES)


def test_pictures_ask_the_method_that_finds_classes_best():
    rows = {"split": "test", "method": ["texts", "classes"], "mean/mrr": [0.9, np.nan], "low": 0.1, "high": 0.2}
    board = pd.DataFrame(rows)
    assert report_page.best_by_class(board) == "texts"
    board = board.assign(**{"image_to_image/AHP@250": [0.3, 0.6], "ahp low": 0.2, "ahp high": 0.7})
    assert report_page.best_by_class(board) == "classes"


@given(st.lists(st.integers(0, 30), min_size=1, max_size=80), st.integers(1, 60))
def test_maps_show_a_few_classes_whole_as_far_as_there_is_room(labels, count):
    rows, labels = np.flatnonzero(np.array(labels) > 0), np.array(labels)
    options = Report(tsne=count)
    chosen = report_spaces.of_few_classes(rows, labels, options)
    assert set(chosen) <= set(rows)
    assert list(chosen) == sorted(set(chosen))
    classes = set(labels[report_spaces.of_few_classes(rows, labels, Report(tsne=1000))])
    assert len(classes) == min(report_spaces.CLASSES, len(set(labels[rows])))
    assert set(labels[chosen]) <= classes
    assert len(chosen) == min(count, np.isin(labels[rows], list(classes)).sum())


def test_maps_of_all_methods_bear_their_map_of_the_split(study, monkeypatch):
    drawn = {}
    monkeypatch.setattr(report_spaces.space_plots, "tsne_methods", lambda *given: drawn.update(given=given))
    settings = params.load()
    board = report.read_leaderboard(study["compared"] / "leaderboard.csv").query("split == 'test'")
    data = Prepared(study["data"])
    known = data, Classes(study["taxonomy"], data)
    report_spaces.all_methods(settings, board, study["runs"], *known)
    images, classes, _ = drawn["given"]
    scores = board.set_index("method")["image_to_image/map"]
    assert list(images) == [f"{method}\nmAP {scores[method]:.3f}" for method in METHODS]
    assert {len(vectors) for vectors in images.values()} == {len(classes)}
    unlabelled = board.assign(**{"image_to_image/map": np.nan})
    assert report_spaces.all_methods(settings, unlabelled, study["runs"], *known) == {}


def test_labels_climb_the_taxonomy_until_few_cover_half():
    edges = [(f"{script}/lower", f"{script}{i}", f"{script}{i}") for script in "ab" for i in range(20)]
    edges += [("a", "a/lower", "lower"), ("b", "b/lower", "lower"), ("root", "a", "Alpha"), ("root", "b", "Beta")]
    taxonomy = pd.DataFrame(edges, columns=["parent", "child", "name"])
    fine = pd.Series([f"{script}{i}" for script in "ab" for i in range(20)])
    assert set(report_spaces.broad_labels(fine, taxonomy)) == {"Alpha lower", "Beta lower"}
    few = pd.Series(["a0"] * 5 + ["b1", ""])
    assert list(report_spaces.broad_labels(few, taxonomy)) == list(few)
    assert list(report_spaces.broad_labels(fine, taxonomy.iloc[:0])) == list(fine)
    circle = pd.DataFrame([("x", "y", "y"), ("y", "x", "x")], columns=["parent", "child", "name"])
    assert len(report_spaces.broad_labels(fine, circle)) == len(fine)


def test_the_best_of_a_column_is_marked_whichever_end_is_better():
    rows = pd.DataFrame(
        {
            "text_to_image/median_rank": [3.0, 2.0, np.nan],
            "image_to_image/map": [0.1, 0.2, 0.2],
            "p": [np.nan, 0.0, 0.2],
        }
    )
    rank, precision, p = (report_page.column(name, rows, None) for name in rows)
    assert [cell["best"] for cell in rank["cells"]] == [False, True, False]
    assert [cell["best"] for cell in precision["cells"]] == [False, True, True]
    assert not any(cell["best"] for cell in p["cells"])
    distance = report_page.column("pairs/mean_distance", rows.assign(**{"pairs/mean_distance": 0.5}), None)
    assert (distance["group"], distance["label"]) == ("matched pairs", "mean distance")
    assert not any(cell["best"] for cell in distance["cells"])  # its size depends on the loss
    assert [cell["text"] for cell in rank["cells"]] == ["3.0", "2.0", "–"]
    assert not report_page.column("image_to_image/map", rows.iloc[:1], None)["cells"][0]["best"]


@pytest.mark.parametrize(
    ("value", "name", "text"),
    [
        (None, "mean/mrr", "–"),
        (np.nan, "mean/R@1", "–"),
        (0.0, "mean/mrr", "0.000"),
        (0.0004, "mean/mrr", "< 0.001"),
        (0.0006, "mean/mrr", "0.001"),
        (50, "mean/R@1", "50.0"),
    ],
)
def test_numbers_as_text(value, name, text):
    assert report_page.number(value, describe(name)) == text


def test_queries_that_all_belong_together_have_no_interval(tmp_path, monkeypatch):
    """One group in the test split: the page gives the values and says that their intervals are not known."""

    def together(n, texts_each):
        items, pictures = glyphs(n, texts_each)
        return items.assign(group="all"), pictures

    monkeypatch.setattr(made_report, "glyphs", together)
    make_study(tmp_path, n=30)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tracking, "log_report", lambda figures, page, runs: None)
    report.main(**paths(Path()))
    text = " ".join(" ".join(Outline(paths(Path())["page"].read_text()).words).split())
    assert "interval not known: all queries belong together" in text
    assert "nan" not in text.split()


def test_where_texts_stand_in_the_place_of_pictures_the_page_says_texts():
    board = pd.DataFrame({"split": ["test"], "method": ["one"], "image_to_image/AHP@250": [0.5]})
    low, high, p = rankings(board.columns)["image_to_image/AHP@250"].columns
    board[low], board[high], board[p] = 0.4, 0.6, 1.0
    assert [each["what"] for each in report_page.winners(board, texts_alone=True)] == [
        "texts find texts of near classes"
    ]
    assert [each["what"] for each in report_page.winners(board)] == ["pictures find pictures of near classes"]
