"""Show the runs of the study in MLflow; starts its server."""

import os
import sys
from typing import Annotated
from urllib.parse import urlencode

import typer

from kith.errors import KithError
from stages import cli, params
from stages.tracking import connection, recorder, view

HOST = "127.0.0.1"


def main(
    *,
    port: Annotated[int, typer.Option(envvar="MLFLOW_PORT", help="The port of the server that is started.")] = 5000,
) -> None:
    """Print the address of the study's runs, the best first; start MLflow's server, unless MLFLOW_TRACKING_URI is one.

    Ctrl-C ends it. Raises KithError where the store cannot be reached.
    """
    if not connection.available():
        raise KithError("MLflow is not installed; pip install -r requirements.txt")
    store, study = connection.store(), params.load().study.name
    try:
        reached = connection.connect(store, study)
        view.save(reached)
        recorder.send_waiting(reached, recorder.store_kept(store))
    except Exception as error:
        raise KithError(f"{connection.shown(store)} {recorder.reason(error)}") from None
    served = store.startswith(("http://", "https://"))
    server = connection.shown(store).rstrip("/") if served else f"http://{HOST}:{port}"
    print(f"{study}: {address(server, reached.experiment)}", flush=True)
    if not served:
        command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", store]
        os.execv(sys.executable, [*command, "--host", HOST, "--port", str(port)])


def address(server: str, experiment: str) -> str:
    """The page of an experiment's runs, with the columns that methods are ranked by.

    >>> address("http://127.0.0.1:5000", "1")
    'http://127.0.0.1:5000/#/experiments/1/runs?viewStateShareKey=ranking&workflowType=machine_learning'
    """
    shown = {"viewStateShareKey": view.NAME, "workflowType": "machine_learning"}  # without its pages for chat programs
    return f"{server}/#/experiments/{experiment}/runs?{urlencode(shown)}"


if __name__ == "__main__":
    cli.run(main)
