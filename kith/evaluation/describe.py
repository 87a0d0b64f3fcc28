"""What the catalogue says of the columns of a leaderboard.

`python -m kith.evaluation.describe > docs/metrics.md` writes the page of all metrics.
"""

import functools
import re
from collections.abc import Iterable

from kith.errors import KithError
from kith.evaluation.catalogue import GROUPS, METRICS, P_VALUE, SHARE, Metric, Ranking

PAGE = """# Metrics

This page is written by `python -m kith.evaluation.describe > docs/metrics.md` from `kith/evaluation/catalogue.py`.

Every metric that `evaluate` can write, group by group. In `metrics.json` and in the columns of `leaderboard.csv` its
name is `<group>/<name>`; {k} stands for a number. *Column* is where `queries.parquet` holds its value for each query.
Methods are ranked by the metrics in **bold**, in this order: of these the leaderboard has intervals and tests.
Those in *italics* are details: the leaderboard has them where `params.yaml` says `compare.details: true`.

In groups that end in `_taxonomy`, answers count as far as their classes are similar to that of the query (LCSH). A text
has the class of its item. The equations are at the head of `kith/metrics/graded.py`.

Where pictures have [several labels each](own-data.md#several-labels-an-item), the group `shared` takes the place of
`image_to_image`; in it, in `hamming` and in `database`, an answer is right if it shares a label with the query. `WAP`,
`ACG@{k}` and `NDCG@{k}` count how many it shares: the equations are at the head of `kith/metrics/label_sets.py`.

## How sure the order is

With several seeds, a method's mean is uncertain by the luck of the queries and by that of the trainings; both are in
all that follows. With one seed only the queries' luck is known, and the page says so: another training may change the
order.

| In leaderboard.csv | Meaning |
|---|---|
| `low`, `high` | interval of the mean |
| `p` | of the difference from the first method, adjusted for all pairs |
| `place low`, `place high` | where the method may stand; all places hold together (Mogstad et al. 2024) |
| `letters` | methods that share one cannot be told apart at `compare.significance` |

`differences.csv` has every two methods: the difference, an interval that holds together with those of all other pairs,
p, and about how many queries and seeds would tell the two apart in 80 of 100 repetitions.

How: groups of queries are redrawn or change signs together; three seeds alone say little of their spread, so that the
variances of all methods' seeds are pooled as far as they are alike (Smyth 2004), and the interval is Student's; the two
lucks are added, squared. In simulations with three seeds, 95 % intervals held the truth 95 to 98 times in 100.
"""


@functools.cache
def describe(column: str) -> Metric:
    """The metric of a column of the leaderboard, with its one group, and with its number in key and title.

    >>> describe("text_to_image/R@10").full_head
    't→i R@10'
    >>> describe("hamming/map@100").shown(0.12345)
    '0.123'
    >>> describe("ahp p").group.title
    'image → image, by class'

    Raises KithError for a name that is not in the catalogue.
    """
    for metric in METRICS:
        if metric.ranking and column == metric.ranking.columns[-1]:
            return Metric(metric.groups, "p", SHARE, P_VALUE, better="")
    metric, number = _entry(column)
    group, _, key = column.rpartition("/")
    return metric._replace(groups=(group,), key=key, title=metric.head.format(**number))


def _entry(column: str) -> tuple[Metric, dict[str, str]]:
    """The line of the catalogue that a column is of, and its number, {"k": "10"}, if it has one."""
    group, _, key = column.rpartition("/")
    for metric in METRICS:
        found = re.fullmatch(re.escape(metric.key).replace(r"\{k\}", r"(?P<k>\d+)"), key)
        if found and group in metric.groups:
            return metric, found.groupdict()
    raise KithError(f"'{column}' is no metric: one that is new needs a line in kith/evaluation/catalogue.py")


def metrics_of(columns: Iterable[str]) -> list[str]:
    """Those of the columns that hold a metric: no name, interval, p, or standard deviation over seeds.

    >>> metrics_of(["method", "mean/mrr", "low", "p", "mean/mrr sd"])
    ['mean/mrr']
    """
    return [column for column in columns if "/" in column and not column.endswith(" sd")]


def by_catalogue(columns: Iterable[str]) -> list[str]:
    """The metrics among the columns, in the order in which the catalogue lists them.

    >>> by_catalogue(["svm/top5_accuracy", "mean/mrr", "svm/accuracy"])
    ['mean/mrr', 'svm/accuracy', 'svm/top5_accuracy']
    """
    places = {name: METRICS.index(_entry(name)[0]) for name in metrics_of(columns)}
    return sorted(places, key=lambda name: places[name])


def rankings(columns: Iterable[str]) -> dict[str, Ranking]:
    """Those of the columns that methods are ranked by, in the order in which they decide.

    >>> list(rankings(["hamming/map", "image_to_image/AHP@250_wup", "mean/mrr", "mean/mrr sd"]))
    ['mean/mrr', 'hamming/map']
    """
    found = {column: describe(column).ranking for column in by_catalogue(columns)}
    return {column: ranking for column, ranking in found.items() if ranking is not None}


def page() -> str:
    """docs/metrics.md: a table for each group; groups of the same metrics share one."""
    parts: dict[tuple[Metric, ...], list[str]] = {}
    for name in filter(None, GROUPS):
        parts.setdefault(tuple(metric for metric in METRICS if name in metric.groups), []).append(name)
    tables = [PAGE]
    for metrics, names in parts.items():
        title = " and ".join(f"`{name}` ({GROUPS[name].title})" for name in names)
        lines = [f"## {title}\n", "| Name | Shown as | Better | Column | Meaning |", "|---|---|---|---|---|"]
        tables.append("\n".join([*lines, *map(_row, metrics)]) + "\n")
    return "\n".join(tables)


def _row(metric: Metric) -> str:
    mark = "**" if metric.ranking else "*" * metric.detail
    name = f"{mark}`{metric.key}`{mark}"
    better = {"max": "high", "min": "low", "": ""}[metric.better]
    head = metric.head + (", percent" if metric.scale.percent else "")
    return f"| {name} | {head} | {better} | {metric.column and f'`{metric.column}`'} | {metric.meaning} |"


if __name__ == "__main__":
    print(page(), end="")
