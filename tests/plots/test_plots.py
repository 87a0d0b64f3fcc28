"""Pictures show what they were given, in the same bytes each time, whatever the texts hold."""

import io
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from kith.plots import galleries
from kith.plots import hierarchy as hierarchy_plots
from kith.plots import spaces as space_plots
from kith.plots import style as plots
from kith.plots import training as training_plots
from kith.plots.galleries import Match

GREEN, VERMILLION = "#009E73", "#D55E00"
TEXTS = [
    "",
    "a long caption " * 30,
    "unbroken" * 40,
    "שלום עולם, مرحبا بالعالم",
    "汉字与假名 かな " * 10,
    "costs $5_{x and \\frac$ more",
    "tab\tnew\nline \x00 null \u200f mark",
    "no font has this: \U0001f9ff\ue000",
]


def unpack(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def gray(value: int) -> np.ndarray:
    return np.full((32, 32, 1), value, dtype=np.uint8)


def history() -> pd.DataFrame:
    rows = [
        {
            "method": m,
            "seed": s,
            "epoch": e,
            "train_loss": 100 / e**2 + s,
            "val_mrr": e / 10 + s / 100,
            "train_mrr": e / 8,
        }
        for m in ("b", "a")
        for s in (0, 1)
        for e in range(1, 5 + s)
    ]
    return pd.DataFrame(rows)


def scores() -> pd.DataFrame:
    rows = [("b", "text_to_image", 0.5, 0.4, 0.7), ("b", "image_to_text", 0.6, 0.55, 0.62)]
    rows += [("a", "text_to_image", 0.3, 0.2, 0.4), ("a", "image_to_text", 0.2, 0.1, 0.3)]
    return pd.DataFrame(rows, columns=["method", "direction", "value", "low", "high"])


def queries(ranks: list[int]) -> pd.DataFrame:
    both = [{"method": "a", "direction": d, "before": r - 1} for d in plots.DIRECTIONS for r in ranks]
    return pd.DataFrame(both).assign(tied_right=1, tied_wrong=0)


def vectors(n: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(n, 6))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def draw_all() -> dict[str, bytes]:
    match = Match("a text", [gray(9), gray(200)], [0.9, 0.1], [True, False])
    figures = {
        "curves": training_plots.curves(history()),
        "evolution": training_plots.evolution(history()),
        "leaderboard": plots.leaderboard(scores()),
        "recall": plots.recall_at_k(queries([1, 2, 30])),
        "pictures": galleries.picture_gallery([match]),
        "texts": galleries.text_gallery([Match(gray(9), ["one", "two"], [0.9, 0.1], [True, False])]),
        "neighbors": galleries.neighbors([[(gray(9), "item", 1.0), (None, "near", 0.5)]]),
        "tsne": space_plots.tsne(vectors(12), vectors(12, 1), ["x", "y", ""] * 4, seed=3),
        "tsne_methods": space_plots.tsne_methods({"a": vectors(12), "b": vectors(12, 1)}, ["x", "y"] * 6, seed=3),
    }
    return {name: plots.png(figure) for name, figure in figures.items()}


def test_the_same_input_gives_the_same_bytes_without_date_or_program():
    first, second = draw_all(), draw_all()
    assert first == second
    for png in first.values():
        assert Image.open(io.BytesIO(png)).width == plots.WIDTH * plots.DPI
        assert set(Image.open(io.BytesIO(png)).info) <= {"dpi"}


def test_a_users_matplotlibrc_changes_nothing():
    import matplotlib

    before = plots.png(training_plots.curves(history()))
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "savefig.bbox": "tight"}):
        assert plots.png(training_plots.curves(history())) == before


def test_curves_show_the_mean_of_the_seeds_and_each_seed():
    _, mrr = training_plots.curves(history()).axes
    strong = [line for line in mrr.lines if line.get_linewidth() > 1]
    assert len(strong) == 2
    assert len(mrr.lines) == 2 + 4
    for line in strong:
        assert line.get_xydata() == pytest.approx(np.array([[1, 0.105], [2, 0.205], [3, 0.305], [4, 0.405], [5, 0.51]]))


@pytest.mark.parametrize("unit", [1, 1000, -1])
def test_losses_of_any_unit_are_drawn_between_their_lowest_and_their_highest_mean(unit):
    table = history()
    course = table["epoch"].map({1: 1.0, 2: 0.7, 3: 0.4, 4: 0.1, 5: 0.0})
    table["train_loss"] = abs(unit) * course - (unit < 0)
    loss = training_plots.curves(table).axes[0]
    assert len(loss.lines) == 2 + 4
    for line in loss.lines[::3]:
        assert line.get_ydata() == pytest.approx([1, 0.7, 0.4, 0.1, 0])
    table["train_loss"] = 5.0
    assert not any(training_plots.curves(table).axes[0].lines[0].get_ydata())


def test_one_epoch_and_missing_validation_are_drawn():
    table = history().query("epoch == 1").assign(val_mrr=np.nan)
    assert len(unpack(plots.png(training_plots.curves(table)))) > 100


def test_the_evolution_shows_training_beside_validation_and_marks_the_best_epochs():
    table = history()
    table.loc[(table["method"] == "b") & (table["seed"] == 0) & (table["epoch"] == 3), "val_mrr"] = 0.9
    axes = training_plots.evolution(table).axes
    assert [ax.get_title(loc="left") for ax in axes] == ["b", "a"]
    for ax, colour, best in zip(axes, plots.COLOURS, ([3, 5], [4, 5]), strict=False):
        assert {to_hex(line.get_color()).upper() for line in ax.lines} == {colour}
        strong, training, *seeds = ax.lines
        assert (strong.get_linestyle(), training.get_linestyle()) == ("-", "--")
        assert strong.get_linewidth() > training.get_linewidth()
        assert training.get_xydata() == pytest.approx(np.array([[e, e / 8] for e in range(1, 6)]))
        assert strong.get_ydata()[3:] == pytest.approx([0.405, 0.51])
        marks = [line for line in seeds if len(line.get_xdata()) == 1]
        assert [mark.get_xdata()[0] for mark in marks] == best
        assert len(seeds) == 4  # a thin line and a mark for each seed
    assert axes[0].lines[2].get_ydata().max() == 0.9


def test_the_evolution_of_another_metric_has_the_lines_that_are_measured():
    table = history().rename(columns={"val_mrr": "val_loss"})
    figure = training_plots.evolution(table, key="loss")
    for ax, (_, runs) in zip(figure.axes, table.groupby("method", sort=False), strict=True):
        best = {seed: run.nsmallest(1, "val_loss")["epoch"].item() for seed, run in runs.groupby("seed")}
        marks = [line for line in ax.lines if len(line.get_xdata()) == 1]
        assert [mark.get_xdata()[0] for mark in marks] == list(best.values())
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["validation", "training", "best epoch"]
    figure = training_plots.evolution(table.assign(lr=0.1), key="lr")  # whose better end nobody knows
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["each epoch"]
    assert min(len(line.get_xdata()) for line in figure.axes[0].lines) > 1  # no marks
    assert figure.get_supylabel() == "lr"


@pytest.mark.parametrize("count", [1, 4, 8, 30])
def test_the_evolution_of_many_methods_has_room_and_scales_below_each_column(count):
    figure = training_plots.evolution(many(count))
    plots.png(figure)
    assert len(figure.axes) == count
    boxes = [ax.get_window_extent() for ax in figure.axes]
    assert min(box.height / figure.dpi for box in boxes) > 0.8
    lowest = {round(box.x0): ax for box, ax in zip(boxes, figure.axes, strict=True)}
    assert all(ax.xaxis.get_tick_params()["labelbottom"] for ax in lowest.values())


def many(count: int) -> pd.DataFrame:
    return pd.concat([history().assign(method=f"a_method_of_the_{i}") for i in range(count)])


@pytest.mark.parametrize("count", [1, 4, 8, 12, 30])
def test_legends_of_many_methods_stay_inside_and_leave_the_axes_their_room(count):
    figure = training_plots.curves(many(count))
    plots.png(figure)
    canvas, legend = figure.bbox, figure.legends[0].get_window_extent()
    assert canvas.x0 <= legend.x0 < legend.x1 <= canvas.x1
    assert canvas.y0 <= legend.y0 < legend.y1 <= min(ax.get_window_extent().y0 for ax in figure.axes)
    assert len(figure.legends[0].get_texts()) == count
    heights = [ax.get_window_extent().height / figure.dpi for ax in figure.axes]
    assert sum(heights) > 3


def test_long_names_of_methods_stand_one_below_the_other():
    table = pd.concat([history().assign(method=f"{i}_{'long' * 8}") for i in range(3)])
    figure = training_plots.curves(table)
    plots.png(figure)
    left = {round(text.get_window_extent().x0) for text in figure.legends[0].get_texts()}
    assert len(left) == 1
    assert figure.legends[0].get_window_extent().x1 <= figure.bbox.x1


def test_the_leaderboard_keeps_its_order_and_draws_the_intervals():
    ax = plots.leaderboard(scores()).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["b", "a"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first on top
    segments = [segment for c in ax.collections if isinstance(c, LineCollection) for segment in c.get_segments()]
    ends = np.array(sorted(segment[:, 0].tolist() for segment in segments))
    assert ends == pytest.approx(np.array([(0.1, 0.3), (0.2, 0.4), (0.4, 0.7), (0.55, 0.62)]))
    assert {text.get_text() for text in ax.texts} == {"0.500", "0.600", "0.300", "0.200"}


def test_a_method_looks_the_same_in_every_chart_of_a_study():
    study = ["c", "b", "a"]
    every = plots.looks(pd.Series(study))
    assert plots.looks(pd.Series(["a", "b"]), study) == {name: every[name] for name in ("b", "a")}
    assert plots.looks(pd.Series(["x", "c"]), study)["x"] not in every.values()
    colours = {name: look["color"] for name, look in every.items()}
    curves = pd.DataFrame({"method": ["b"] * 2, "seed": 0, "k": [1, 2], "radius": [0, 1], "recall": [0.1, 0.2]})
    curves["precision"] = 0.5
    for figure in (
        plots.recall_at_k(queries([1]).assign(method="b"), study),
        training_plots.curves(history().query("method == 'b'"), study),
        training_plots.evolution(history().query("method == 'b'"), study),
        hierarchy_plots.precision_curves(curves, methods=study),
        hierarchy_plots.recall_precision(curves, methods=study),
        hierarchy_plots.radius_curves(curves, study),
        plots.leaderboard(scores().query("method == 'b'"), study),
    ):
        assert {line.get_color() for ax in figure.axes for line in ax.lines} == {colours["b"]}
    bars = pd.DataFrame({"method": ["a", "b"], "value": 0.5, "low": 0.4, "high": 0.6})
    patches = hierarchy_plots.precision_bars(bars, methods=study).axes[0].patches
    assert [to_hex(bar.get_facecolor()).upper() for bar in patches] == [colours["a"], colours["b"]]


def test_directions_differ_in_the_filling_of_the_markers():
    ax = plots.leaderboard(scores()).axes[0]
    points = [line for line in ax.lines if line.get_marker() in "os"]
    assert [(line.get_marker(), to_hex(line.get_markerfacecolor()).upper()) for line in points] == [
        *(("o", colour) for colour in plots.COLOURS[:2]),
        *(("s", "#FFFFFF") for _ in range(2)),
    ]


def test_recall_is_the_share_of_ranks_up_to_k():
    random = np.random.default_rng(0)
    ranks = {f"m{i}": list(random.integers(1, 150, size=i + 1)) for i in range(8)}
    table = pd.concat([queries(own).assign(method=name) for name, own in ranks.items()])
    for ax in plots.recall_at_k(table).axes:
        for line, own in zip(ax.lines, ranks.values(), strict=True):
            assert list(line.get_xdata()) == list(range(1, 101))
            expected = [100 * sum(rank <= k for rank in own) / len(own) for k in range(1, 101)]
            assert line.get_ydata() == pytest.approx(expected)


def test_recall_climbs_slowly_through_answers_that_tie():
    table = queries([1]).assign(before=10, tied_right=1, tied_wrong=39)
    recall = plots.recall_at_k(table).axes[0].lines[0].get_ydata()
    assert recall == pytest.approx([100 * min(max(k - 10, 0) / 40, 1) for k in range(1, 101)])


def test_a_very_large_figure_stays_white():
    figure = Figure((24.5, 24.5))
    figure.subplots().plot([0, 1])
    assert Image.open(io.BytesIO(plots.png(figure))).convert("L").getpixel((5, 5)) == 255


def test_forty_eight_methods_look_different_and_twelve_in_colour_and_in_marker():
    table = pd.concat([queries([1]).assign(method=f"m{i}") for i in range(48)])
    lines = plots.recall_at_k(table).axes[0].lines
    assert len({(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines}) == 48
    assert len({line.get_color() for line in lines[:12]}) == len({line.get_marker() for line in lines[:12]}) == 12


def test_right_pictures_are_green_with_a_tick_and_wrong_ones_vermillion_with_a_cross():
    matches = [
        Match("one", [gray(0), gray(1), gray(2)], [0.9, 0.8, 0.7], [False, True, False]),
        Match("two", [gray(0)], [0.5], [True]),  # fewer answers
    ]
    axes = np.reshape(galleries.picture_gallery(matches).axes, (2, 4))
    assert [ax.get_xlabel() for ax in axes[0, 1:]] == ["✗ 0.90", "✓ 0.80", "✗ 0.70"]
    frames = [to_hex(ax.spines["left"].get_edgecolor()).upper() for ax in axes[0, 1:]]
    assert frames == [VERMILLION, GREEN, VERMILLION]
    assert [ax.get_xlabel() for ax in axes[1, 1:]] == ["✓ 0.50", "", ""]
    assert axes[0, 2].images[0].get_array().tolist() == gray(1)[..., 0].tolist()
    assert axes[0, 2].images[0].get_interpolation() == "nearest"


def test_a_query_of_pictures_may_be_a_picture():
    match = Match(gray(7), [gray(0), gray(1)], [0.9, 0.8], [False, True])
    query, first, _ = galleries.picture_gallery([match]).axes
    assert query.images[0].get_array().tolist() == gray(7)[..., 0].tolist()
    assert not query.texts
    assert to_hex(query.spines["left"].get_edgecolor()).upper() == plots.OTHER
    assert first.get_xlabel() == "✗ 0.90"


def test_texts_found_stand_in_order_with_mark_similarity_and_frame():
    figure = galleries.text_gallery([Match(gray(0), ["first", "second"], [0.91, 0.4], [True, False])])
    picture, lines = figure.axes
    assert [text.get_text() for text in lines.texts] == ["✓", "0.91", "first", "✗", "0.40", "second"]
    assert [to_hex(frame.get_edgecolor()).upper() for frame in lines.patches] == [GREEN, VERMILLION]
    assert lines.texts[0].get_position()[1] < lines.texts[3].get_position()[1]
    assert lines.get_ylim() == (2, 0)  # the first on top
    assert picture.images[0].get_array().shape == (32, 32)


def test_photos_keep_their_colours():
    photo = np.zeros((128, 128, 3), dtype=np.uint8)
    photo[..., 0] = 250
    drawn = unpack(plots.png(galleries.text_gallery([Match(photo, ["red"], [1.0], [True])])))
    assert (drawn[..., :3] == (250, 0, 0)).all(axis=2).sum() > 10_000


def test_charts_lose_size_not_colours_and_photos_stay_as_they_are():
    figure = training_plots.curves(many(12))
    drawn = plots.png(figure)
    full = io.BytesIO()
    figure.savefig(full, format="png", dpi=plots.DPI)
    assert 2 * len(drawn) < len(full.getvalue())
    shown = np.asarray(Image.open(io.BytesIO(drawn)).convert("RGB")).reshape(-1, 3).astype(int)
    for colour in plots.COLOURS:
        wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert abs(shown - wanted).max(axis=1).min() <= 8, colour
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    gallery = plots.png(galleries.text_gallery([Match(noise, ["noise"], [1.0], [True])]))
    assert len(np.unique(unpack(gallery).reshape(-1, 3), axis=0)) > plots.CHART


def test_no_text_breaks_a_picture_or_warns():
    shown = [gray(0)] * len(TEXTS)
    flags, similarities = [True] * len(TEXTS), [0.5] * len(TEXTS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text in TEXTS:
            plots.png(galleries.picture_gallery([Match(text, shown[:1], [0.5], [True])]))
        plots.png(galleries.text_gallery([Match(gray(0), TEXTS, similarities, flags)]))
        plots.png(galleries.neighbors([[(gray(0), text, 0.5) for text in TEXTS[:4]]]))
        labels = [*TEXTS, "_hidden", "_hidden"]
        plots.png(space_plots.tsne(vectors(10), vectors(10, 1), labels))


@settings(max_examples=100)
@given(st.text(max_size=200), st.integers(8, 40), st.integers(1, 5))
def test_wrapped_text_fits_and_is_printable(text, columns, lines):
    wrapped = plots.wrap(text, columns, lines)
    parts = wrapped.split("\n")
    assert len(parts) <= lines
    assert all(len(part) <= columns for part in parts)
    assert all(part.isprintable() for part in parts)


def test_wide_letters_get_fewer_to_a_line():
    assert max(map(len, plots.wrap("汉字" * 40, 18, 9).split("\n"))) == 10
    assert plots.wrap("short enough", 18, 2) == "short enough"
    assert plots.wrap("one two three four", 9, 1) == "one two …"


def test_an_item_stands_before_its_neighbors_and_may_lack_a_picture():
    rows = [[(gray(0), "item", 1.0), (None, "near", 0.75)], [(gray(0), "alone", 1.0)]]
    axes = np.reshape(galleries.neighbors(rows).axes, (2, 2))
    assert [ax.get_title() for ax in axes.flat] == ["item", "0.75", "item", ""]
    assert [ax.get_xlabel() for ax in axes.flat] == ["item", "near", "alone", ""]


def test_lines_of_the_map_join_the_picture_and_the_text_of_an_item():
    ax = space_plots.tsne(vectors(12), vectors(12, 1), [""] * 12).axes[0]
    images, texts = (c.get_offsets() for c in ax.collections if isinstance(c, PathCollection))
    joined = next(c for c in ax.collections if isinstance(c, LineCollection)).get_segments()
    assert np.array(joined) == pytest.approx(np.stack([images, texts], axis=1))


def test_the_map_colours_the_six_most_frequent_labels():
    labels = [name for i, name in enumerate("abcdefgh") for _ in range(9 - i)] + [""]
    figure = space_plots.tsne(vectors(len(labels)), vectors(len(labels), 1), labels)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["image", "text", *"abcdef", "other"]
    dots = next(c for c in figure.axes[0].collections if isinstance(c, PathCollection))
    colours = [to_hex(colour).upper() for colour in dots.get_facecolors()]
    assert colours[0] == plots.COLOURS[0]
    assert colours[-1] == colours[labels.index("h")] == plots.OTHER


@pytest.mark.parametrize("n", [2, 3])
def test_the_map_of_very_few_items(n):
    figure = space_plots.tsne(vectors(n), vectors(n, 1), [""] * n)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["image", "text"]
    assert len(unpack(plots.png(figure))) > 100


def test_the_maps_of_all_methods_give_a_class_the_same_sign_in_each():
    spaces = {f"method {i}\nmAP 0.{i}": vectors(30, i) for i in range(4)}
    classes = [f"class {i % 10}" for i in range(30)]
    figure = space_plots.tsne_methods(spaces, classes)
    plots.png(figure)
    assert [ax.get_title(loc="left") for ax in figure.axes] == list(spaces)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == sorted(set(classes))
    for ax in figure.axes:
        dots = [c for c in ax.collections if isinstance(c, PathCollection)]
        assert [to_hex(each.get_facecolor()[0]).upper() for each in dots] == plots.COLOURS[:10]
        assert [len(each.get_offsets()) for each in dots] == [3] * 10
    legend = figure.legends[0].get_window_extent()
    assert figure.bbox.y0 <= legend.y0 < legend.y1 <= min(ax.get_window_extent().y0 for ax in figure.axes)


def test_long_names_of_classes_stand_one_below_the_other():
    figure = space_plots.tsne_methods({"a": vectors(4)}, ["long name of a class " * 2, "b", "b", TEXTS[-2]])
    plots.png(figure)
    assert len({round(text.get_window_extent().x0) for text in figure.legends[0].get_texts()}) == 1
    assert figure.legends[0].get_window_extent().x1 <= figure.bbox.x1
