"""MLflow's server is away, hangs, is broken, or goes in the middle of a training: it neither dies nor waits, and its
records arrive later, each once."""

import contextlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.faults import outcome
from benchmarks.faults.checkout import Checkout, end_session, process_of
from benchmarks.faults.kills import FIRST_GUESS, LATEST

TRAINING = "train@infonce-0"
EPOCHS = [1, 2, 3, 4]  # of the study's trainings
OWN = "none is set"  # the database of the repository, to compare with


class Took(NamedTuple):
    """Seconds of a training: from its beginning to its end, and of these, asleep: neither computing nor in the queue
    for a processor, so that other work on the machine does not count."""

    whole: float
    asleep: float


@contextmanager
def nobody(checkout: Checkout) -> Iterator[str]:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@contextmanager
def silent(checkout: Checkout) -> Iterator[str]:
    """It takes connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


class _Broken(BaseHTTPRequestHandler):
    """500, whatever is asked."""

    def _answer(self) -> None:
        self.send_response(500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def log_message(self, *given: object) -> None:
        pass


@contextmanager
def broken(checkout: Checkout) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Broken)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


@contextmanager
def real(checkout: Checkout) -> Iterator[tuple[str, subprocess.Popen]]:
    """MLflow's own, on a database beside the checkout."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    place = Path(f"{checkout.folder}.server")
    place.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{place / 'store.db'}", "--artifacts-destination", str(place)]
    with (place / "log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=place, env=checkout.environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _until_healthy(f"http://127.0.0.1:{port}", server)
        yield f"http://127.0.0.1:{port}", server
    finally:
        end_session(server.pid)
        server.wait()


def _until_healthy(uri: str, server: subprocess.Popen) -> None:
    end = time.monotonic() + LATEST
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{uri}/health", timeout=5).close()
            return
        time.sleep(0.5)
    raise RuntimeError("MLflow's server did not start")


AWAY = {"nothing listens": nobody, "never answers": silent, "answers 500": broken}
GOES = {"killed in the middle": signal.SIGKILL, "hangs in the middle": signal.SIGSTOP}
SERVERS = (OWN, *AWAY, *GOES)


def serve(row: outcome.Row, checkout: Checkout, wanted: dict[str, str], drawn: random.Random) -> None:
    """A training with the server row.fault, then all that waits is sent to another."""
    checkout.forget(TRAINING)
    if row.fault == OWN:
        took = _trained(row, checkout, wanted)
        kept = f"sqlite:///{checkout.folder / 'mlflow.db'}"
    elif row.fault in AWAY:
        with AWAY[row.fault](checkout) as uri:
            took = _trained(row, checkout, wanted, MLFLOW_TRACKING_URI=uri)
        later = Path(f"{checkout.folder}.later.db")
        later.unlink(missing_ok=True)  # of the fault before
        kept = f"sqlite:///{later}"
        _send(row, checkout, kept)
    else:
        took, kept = _goes(row, checkout, wanted, drawn)
    row.moment = f"{row.moment} {took.whole:.0f} s, asleep {took.asleep:.1f} s".strip()
    if problem := _incomplete(kept, row.fault == OWN):
        row.ended, row.besides = outcome.HAND, "; ".join(filter(None, [row.besides, problem]))


def _goes(row: outcome.Row, checkout: Checkout, wanted: dict[str, str], drawn: random.Random) -> tuple[Took, str]:
    """It ends or hangs while the training runs; later it is there again."""
    store = f"sqlite:///{checkout.folder}.server/store.db"
    with real(checkout) as (uri, server):
        wait = drawn.uniform(0, 2 * FIRST_GUESS)
        took = _trained(row, checkout, wanted, strike=(wait, server.pid, GOES[row.fault]), MLFLOW_TRACKING_URI=uri)
    row.moment = f"after {wait:.1f} s:"
    _send(row, checkout, store)
    return took, store


def _trained(
    row: outcome.Row,
    checkout: Checkout,
    wanted: dict[str, str],
    strike: tuple[float, int, signal.Signals] | None = None,
    **environment: str,
) -> Took:
    run = checkout.start(**environment)
    took = _watched(checkout, run, strike)
    status = run.wait()
    row.again = " ".join(outcome.ran(checkout.said(), checkout.jobs()))
    wrong = outcome.differing(checkout, wanted)
    row.ended = outcome.HAND if status else outcome.OTHER if wrong else outcome.SAME
    log = checkout.said() + "".join(
        path.read_text() for path in checkout.folder.glob("logs/shapes/train/infonce-0.log")
    )
    told = next((line.strip() for line in log.splitlines() if line.startswith("MLflow: ")), "")
    row.sentence = told.replace(f"{checkout.folder}/", "").replace(f"{checkout.folder.parent}/", "")
    return took


def _watched(checkout: Checkout, run: subprocess.Popen, strike: tuple[float, int, signal.Signals] | None) -> Took:
    """The times of the training, in which the server's processes get a signal some seconds after it began."""
    engine, job = psutil.Process(run.pid), checkout.job(TRAINING)
    found = None
    while run.poll() is None and found is None:
        found = process_of(engine, job)
        time.sleep(0.02)
    begun, known = time.monotonic(), (0, 0)
    while found is not None and run.poll() is None:
        try:
            running, waiting, _ = Path(f"/proc/{found.pid}/schedstat").read_text().split()
            if found.status() == psutil.STATUS_ZOMBIE:
                break
        except (OSError, psutil.Error):
            break
        known = (int(running), int(waiting))
        if strike is not None and time.monotonic() - begun > strike[0]:
            _signal(strike[1], strike[2])
            strike = None
        time.sleep(0.05)
    if strike is not None:
        _signal(strike[1], strike[2])
    whole = time.monotonic() - begun
    return Took(whole, max(0.0, whole - sum(known) / 1e9))


def _signal(session: int, number: signal.Signals) -> None:
    from benchmarks.faults.checkout import members

    for process in members(session):
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def _send(row: outcome.Row, checkout: Checkout, store: str) -> None:
    sent = checkout.command("stages.cli", "track", "--send", "--to", store)
    if sent.status:
        row.besides = "; ".join(filter(None, [row.besides, f"not sent: {outcome.sentence(sent.said)}"]))


def _incomplete(store: str, unbroken: bool) -> str:
    """What is missing, or there twice, of the training's record; empty where all is there."""
    import mlflow

    client = mlflow.MlflowClient(store)
    experiment = client.get_experiment_by_name("shapes")
    if experiment is None:
        return "nothing was recorded"
    runs = client.search_runs(
        [experiment.experiment_id], "tags.stage = 'train' and tags.method = 'infonce'", order_by=["start_time DESC"]
    )
    if not runs:
        return "no run of the training"
    if len(runs) > 1 and not unbroken:
        return f"{len(runs)} runs of one training"
    steps = [metric.step for metric in client.get_metric_history(runs[0].info.run_id, "val_mrr")]
    if steps != EPOCHS or runs[0].info.status != "FINISHED":
        return f"epochs {steps}, {runs[0].info.status}"
    return ""
