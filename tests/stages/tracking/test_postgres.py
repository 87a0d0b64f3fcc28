"""MLflow's server on PostgreSQL, and eight writers at once: every run and every metric arrives, once."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from stages.tracking import spool
from tests.stages.tracking.test_tracking import ROOT

pytest.importorskip("psycopg2")
pytestmark = pytest.mark.slow
WRITERS, EPOCHS = 8, 6
WRITER = f"""
import sys
from pathlib import Path
from kith.store.prepared import Prepared
from stages import tracking
seed = int(sys.argv[1])
data = Prepared(Path("data/shapes/prepared"))
with tracking.training("infonce", seed, {{"lr": 0.1}}, f"fingerprint-{{seed}}", data, True) as run:
    for epoch in range(1, {EPOCHS} + 1):
        run.epoch({{"epoch": epoch, "loss": 10 * seed + epoch, "val_mrr": epoch / 10}})
"""


def programs() -> Path | None:
    """The folder of PostgreSQL's programs; Debian keeps those of a server out of the way."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((place for place in reversed(places) if (place / "initdb").exists()), None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def postgres() -> Iterator[str]:
    """A database of its own. Its server does not run as root: there it needs the user that the package has made."""
    binaries = programs()
    user = "postgres" if os.geteuid() == 0 else None
    if binaries is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp())
    if user is not None:
        shutil.chown(folder, user)
    given = {"user": user} if user else {}
    command = [binaries / "initdb", "-D", folder / "data", "-A", "trust", "-U", "kith", "--no-sync"]
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True, **given)
    assert made.returncode == 0, made.stderr
    port = free_port()
    options = ["-D", folder / "data", "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1", "-F"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([binaries / "postgres", *options], cwd=folder, stdout=log, stderr=log, **given)
    try:
        _soon(lambda: socket.create_connection(("127.0.0.1", port), timeout=5).close(), server, folder / "log")
        yield f"postgresql://kith@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)  # a fast shutdown; by SIGTERM it waits for whoever is connected
        server.wait(60)
        shutil.rmtree(folder)


@pytest.fixture
def served(postgres, tmp_path) -> Iterator[str]:
    """MLflow's server on it."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", postgres, "--artifacts-destination", str(tmp_path / "artifacts")]
    with (tmp_path / "server.log").open("w") as log:
        server = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True)
    try:
        uri = f"http://127.0.0.1:{port}"
        _soon(lambda: urllib.request.urlopen(f"{uri}/health", timeout=5).close(), server, tmp_path / "server.log")
        yield uri
    finally:
        os.killpg(server.pid, 9)
        server.wait()


def _soon(ask, server: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + 300
    while True:
        try:
            return ask()
        except OSError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.25)


def write_together(study: Path, uri: str) -> None:
    own = os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": uri, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", WRITER]
    together = [subprocess.Popen([*command, str(seed)], env=own, cwd=study) for seed in range(WRITERS)]
    assert [process.wait(timeout=900) for process in together] == [0] * WRITERS
    # One that had to wait for the others for too long has kept its records, and they are sent now.
    send = [sys.executable, "-m", "stages.cli", "track", "--send"]
    sent = subprocess.run(send, env=own, cwd=study, capture_output=True, text=True)
    assert sent.returncode == 0, sent.stderr
    assert not spool.waiting()


@pytest.mark.parametrize("way", ["served", "postgres"])  # by MLflow's server, and the database itself
def test_eight_writers_at_once_lose_and_double_nothing(study, way, request):
    uri = request.getfixturevalue(way)
    write_together(study, uri)
    client = mlflow.MlflowClient(uri)
    (experiment,) = client.search_experiments(filter_string="name = 'shapes'")
    found = client.search_runs([experiment.experiment_id])
    parents = [run for run in found if run.data.tags["stage"] == "study"]
    trained = {int(run.data.tags["seed"]): run for run in found if run.data.tags["stage"] == "train"}
    assert len(parents) == 1
    assert len(found) == 1 + WRITERS
    assert sorted(trained) == list(range(WRITERS))
    for seed, run in trained.items():
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == parents[0].info.run_id
        history = client.get_metric_history(run.info.run_id, "loss")
        assert [(each.step, each.value) for each in history] == [
            (epoch, 10 * seed + epoch) for epoch in range(1, EPOCHS + 1)
        ]
