"""Taxonomies drawn: every node once, grey or white, its box apart from the others, the same bytes each time."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from kith.errors import KithError
from kith.plots import style as plots
from kith.plots import taxonomy as taxonomy_plot
from kith.plots.taxonomy import draw, upper_levels
from kith.taxonomy import Taxonomy

CIFAR = Path(__file__).resolve().parents[3] / "shared" / "hierarchies" / "cifar" / "hierarchy.txt"
BOAT = [("thing", "animal"), ("animal", "dog"), ("animal", "seal"), ("thing", "vehicle"), ("vehicle", "boat")]
GRAPH = [*BOAT, ("vehicle", "amphibious car"), ("boat", "raft"), ("animal", "raft")]
FOREST = [("r", "a"), ("s", "b"), ("s", "c"), ("s", "$x_{y$")]
LAYOUTS = pytest.mark.parametrize("layout", taxonomy_plot.LAYOUTS)


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """Texts whose boxes touch or leave the figure."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    boxes = []
    for text in figure.axes[0].texts:
        patch = text.get_bbox_patch()
        path = patch.get_transform().transform_path(patch.get_path())
        boxes.append((text.get_text(), path, path.get_extents()))
    page = figure.bbox
    outside = [(name, "page") for name, _, box in boxes if not (page.contains(*box.min) and page.contains(*box.max))]
    return outside + [
        (a, b)
        for i, (a, first, near) in enumerate(boxes)
        for b, second, other in boxes[:i]
        if near.overlaps(other) and first.intersects_path(second, filled=True)
    ]


@LAYOUTS
@pytest.mark.parametrize("edges", [BOAT, GRAPH, FOREST, [("a", "b")], [(0, i) for i in range(1, 90)]])
def test_every_node_has_a_box_of_its_own(layout, edges):
    taxonomy = Taxonomy.from_edges(edges)
    figure = draw(taxonomy, layout=layout)
    texts = {text.get_text(): text for text in figure.axes[0].texts}
    assert sorted(texts) == sorted(str(node) for node in taxonomy.nodes)
    for node in taxonomy.nodes:
        colour = to_hex(texts[str(node)].get_bbox_patch().get_facecolor()).upper()
        assert colour == (taxonomy_plot.LEAF if node in taxonomy.leaves else taxonomy_plot.INNER)
    assert overlapping(figure) == []


@LAYOUTS
def test_lines_lead_from_parent_to_child(layout):
    taxonomy = Taxonomy.from_edges(GRAPH)
    tree, others = draw(taxonomy, layout=layout).axes[0].collections
    assert len(tree.get_segments()) == len(taxonomy) - 1
    assert len(others.get_segments()) == 1


@pytest.mark.skipif(not CIFAR.is_file(), reason="no golden data")
@LAYOUTS
def test_a_hundred_classes_are_readable(layout):
    figure = draw(Taxonomy.read_indented(CIFAR), layout=layout)
    assert len(figure.axes[0].texts) == 163
    assert overlapping(figure) == []
    assert (figure.get_size_inches() < 30).all()


@LAYOUTS
def test_same_bytes(layout):
    taxonomy = Taxonomy.from_edges(GRAPH)
    for save in (plots.png, plots.svg):
        assert save(draw(taxonomy, layout=layout)) == save(draw(taxonomy, layout=layout))
    assert plots.svg(draw(taxonomy)).startswith(b"<?xml")
    assert b"<dc:date>" not in plots.svg(draw(taxonomy))


def test_names_and_long_names():
    figure = draw(Taxonomy.from_edges([(0, 1), (0, 2)], {0: "all", 1: "one"}), names={1: "eins", 2: "word " * 30})
    first, second, third = (text.get_text() for text in figure.axes[0].texts)
    assert (first, second) == ("all", "eins")
    assert third.startswith("word")
    assert third.endswith("…")


def test_what_cannot_be_drawn():
    with pytest.raises(KithError, match="more than the 1500"):
        draw(Taxonomy.from_edges((0, i) for i in range(1, 1600)))
    with pytest.raises(KithError, match="layout: 'round'"):
        draw(Taxonomy.from_edges(BOAT), layout="round")


def test_leaves_come_in_the_order_of_their_parents():
    figure = draw(Taxonomy.from_edges([(0, 1), (0, 2), (1, 9), (2, 3), (1, 4)]))
    y = {text.get_text(): text.get_position()[1] for text in figure.axes[0].texts}
    order = sorted(["9", "3", "4"], key=y.__getitem__, reverse=True)
    assert order == ["4", "9", "3"]
    assert y["1"] == pytest.approx(np.mean([y["4"], y["9"]]))


def shown(edges, limit: int) -> tuple[set, dict] | None:
    taxonomy = Taxonomy.from_edges(edges)
    found = upper_levels(taxonomy, taxonomy.leaves, limit)
    return found and (set(found[0].nodes), found[1])


def test_the_upper_levels_are_those_that_fit_with_the_number_of_classes_below():
    every = {node for edge in BOAT for node in edge}
    assert shown(BOAT, 3) == (every, {})
    assert shown(BOAT, 2) == ({"thing", "animal", "vehicle"}, {"animal": 2, "vehicle": 1})
    assert shown(BOAT, 1) is None
    uneven = [("r", "a"), ("r", "b"), *(("b", str(i)) for i in range(5))]
    assert shown(uneven, 5) == ({"r", "a", "b"}, {"b": 5})  # "a" is a class itself


def test_a_class_below_two_nodes_counts_for_each_of_them():
    nodes, below = shown(GRAPH, 2)
    assert nodes == {"thing", "animal", "vehicle"}
    assert below == {"animal": 3, "vehicle": 2}  # the raft; a boat is no leaf here


def test_a_taxonomy_too_large_for_a_picture_is_cut_whatever_the_limit():
    edges = [("root", f"group {i}") for i in range(40)] + [(f"group {i % 40}", str(i)) for i in range(1600)]
    nodes, below = shown(edges, 5000)
    assert len(nodes) == 41
    assert set(below.values()) == {40}


@LAYOUTS
def test_cut_nodes_are_grey_with_their_number(layout):
    taxonomy = Taxonomy.from_edges(BOAT)
    cut, below = upper_levels(taxonomy, taxonomy.leaves, 2)
    figure = draw(cut, layout=layout, below=below)
    boxes = {text.get_text(): to_hex(text.get_bbox_patch().get_facecolor()).upper() for text in figure.axes[0].texts}
    assert boxes == dict.fromkeys(("thing", "animal (2)", "vehicle (1)"), taxonomy_plot.INNER)
    assert overlapping(figure) == []
