"""Charts of hierarchical retrieval show the numbers of their tables."""

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from kith.plots import hierarchy as hierarchy_plots
from kith.plots import style as plots

NAMES = ["b" * 60, "a"]


def curves(x: str, values: np.ndarray, seeds: tuple[int, ...] = (0, 1)) -> pd.DataFrame:
    tables = [
        pd.DataFrame({"method": name, "seed": seed, x: values, "precision": 1 / (2 + i + seed + values)})
        for i, name in enumerate(NAMES)
        for seed in seeds
    ]
    return pd.concat(tables)


def bars() -> pd.DataFrame:
    rows = [(NAMES[0], 0.7, 0.65, 0.72), (NAMES[1], 0.4, np.nan, np.nan)]
    return pd.DataFrame(rows, columns=["method", "value", "low", "high"])


@pytest.mark.parametrize(
    ("draw", "x", "values"),
    [
        (hierarchy_plots.precision_curves, "k", np.arange(1, 301)),
        (hierarchy_plots.recall_precision, "recall", np.linspace(0, 1, 101)),
    ],
)
def test_curves_show_the_mean_of_the_seeds_and_each_seed(draw, x, values):
    (ax,) = draw(curves(x, values)).axes
    shown = values[values <= 250]
    assert len(ax.lines) == 2 * (1 + 2)
    for i in range(2):
        strong, *seeds = ax.lines[3 * i : 3 * i + 3]
        expected = [1 / (2 + i + seed + shown) for seed in (0, 1)]
        np.testing.assert_allclose(strong.get_xydata().T, [shown, np.mean(expected, axis=0)])
        assert [to_hex(line.get_color()).upper() for line in (strong, *seeds)] == [plots.COLOURS[i]] * 3
        for line, values_of_seed in zip(seeds, expected, strict=True):
            np.testing.assert_allclose(line.get_ydata(), values_of_seed)
    assert ax.get_xlim() == (0, shown.max())


def test_one_seed_is_one_line():
    (ax,) = hierarchy_plots.precision_curves(curves("k", np.arange(1, 20), seeds=(0,))).axes
    assert len(ax.lines) == 2
    assert ax.get_xlim() == (0, 19)


def test_bars_show_values_and_intervals():
    (ax,) = hierarchy_plots.precision_bars(bars()).axes
    assert [bar.get_width() for bar in ax.containers[0]] == [0.7, 0.4]
    interval = ax.collections[0].get_segments()[0]
    assert interval[:, 0] == pytest.approx([0.65, 0.72])
    texts = [text.get_text() for text in ax.texts]
    assert texts[1::2] == ["0.700", "0.400"]
    assert texts[2] == "a"
    top, bottom = (bar.get_y() for bar in ax.containers[0])
    assert ax.transData.transform((0, top))[1] > ax.transData.transform((0, bottom))[1]


def test_the_same_tables_give_the_same_bytes():
    def draw() -> list[bytes]:
        figures = [
            hierarchy_plots.precision_curves(curves("k", np.arange(1, 20))),
            hierarchy_plots.recall_precision(curves("recall", np.linspace(0, 1, 11))),
            hierarchy_plots.precision_bars(bars()),
        ]
        return [plots.png(figure) for figure in figures]

    first = draw()
    assert first == draw()
    assert all(Image.open(io.BytesIO(png)).width == plots.WIDTH * plots.DPI for png in first)
