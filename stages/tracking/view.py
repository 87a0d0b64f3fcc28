"""How MLflow's page shows the runs of a study: ordered by what methods are ranked by, which comes first."""

import json
from typing import Any

from kith.evaluation.catalogue import TRACKED
from stages.tracking.connection import CALL, Connection, patience

NAME = "ranking"
# MLflow's page keeps a view that is shared in a tag of the experiment, by its name.
TAG = f"mlflow.sharedViewState.{NAME}"


def ranked() -> dict[str, str]:
    """What methods are ranked by → its name in MLflow, which sorts before all others.

    >>> ranked()["MRR"]
    '01 MRR'
    """
    return {name: f"{place:02} {name}" for place, name in enumerate(TRACKED, start=1)}


def save(reached: Connection) -> None:
    """Let the experiment have the view. Raises what MLflow raises."""
    with patience(CALL):
        reached.client.set_experiment_tag(reached.experiment, TAG, json.dumps(_state()))


def _state() -> dict[str, Any]:
    columns = [f"metrics.`{name}`" for name in ranked().values()]
    return {
        "orderByKey": columns[0],
        "orderByAsc": False,
        "selectedColumns": [*columns, "attributes.`Dataset`", "params.`method`", "params.`seed`"],
    }
