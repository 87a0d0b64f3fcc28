"""The way to MLflow: where its store is, whether it answers, and the study's experiment there."""

import contextlib
import importlib.util
import logging
import os
import re
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from stages.tracking import moved

STORE = "MLFLOW_TRACKING_URI"
# Seconds. A server that answers nothing costs one of these, once; what the user sets in the environment counts more.
PROBE, CALL, UPLOAD = 3, 5, 30
# Making the tables of a new database takes one process some seconds; the others wait for it.
LOCK = 20
# Of databases over the network, and PostgreSQL's question whether it encrypts (SSLRequest of its protocol).
PORTS = {"postgresql": 5432, "postgres": 5432, "mysql": 3306, "mssql": 1433}
ENCRYPTS = bytes.fromhex("00000008 04d2162f")
_SET: set[str] = set()  # what `patience` has put into the environment
EXPERIMENT = {
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.note.content": "A run on the outer level is one state of the study: its data, what all trainings share, "
    "and how they are measured. It has the leaderboard. Unfold it to see and compare its trainings: metrics on the "
    "held-out splits are named like `test/text_to_image/R1`, validation metrics of each epoch like `val_mrr`.",
}


class Away(Exception):
    """MLflow cannot be reached now; the message says why, in one line."""


class Busy(Away):
    """It cannot be reached just now, for another process is at it."""


class Slow(Busy):
    """It answers, and takes so long that whoever asks has no more time for it."""


class Connection(NamedTuple):
    client: Any
    experiment: str
    store: str


def available() -> bool:
    """Whether MLflow is installed."""
    return importlib.util.find_spec("mlflow") is not None


def root() -> Path:
    """The repository; DVC names it, for its experiments run in a copy elsewhere."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd())


def store() -> str:
    """Where records go: MLFLOW_TRACKING_URI, or else mlflow.db in the repository."""
    return os.environ.get(STORE) or f"sqlite:///{root() / 'mlflow.db'}"


def shown(uri: str) -> str:
    """A store as it may be shown and written down: without a password."""
    return re.sub(r"//[^/@]*@", "//", uri)


def database(uri: str) -> Path | None:
    """The file of an SQLite store; None of another."""
    if not uri.startswith("sqlite:///"):
        return None
    return Path(uri.removeprefix("sqlite:///").partition("?")[0]).absolute()


def probe(uri: str) -> None:
    """Raise Away where a server does not answer, or a database is none, before any slow call is made."""
    path = database(uri)
    if path is not None:
        _probe_file(path)
    elif uri.startswith(("http://", "https://")):
        _probe_server(uri)
    elif is_network_database(uri):
        _probe_network_database(uri)


def is_network_database(uri: str) -> bool:
    """Whether a store is a database that is asked over the network: its driver would wait for it without end."""
    parts = urlsplit(uri)
    return parts.scheme.partition("+")[0] in PORTS and bool(parts.hostname)


def connect(uri: str, study: str) -> Connection:
    """A client and the study's experiment, made if there is none. Raises Away, and whatever MLflow raises."""
    probe(uri)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with patience(CALL), alone(uri):
        given = os.environ.get(STORE)
        mlflow.set_tracking_uri(uri)
        if given is None:
            os.environ.pop(STORE, None)  # where MLflow writes it, as if the user had given it
        client = mlflow.MlflowClient(uri)
        return Connection(client, _experiment(client, uri, study), uri)


@contextlib.contextmanager
def alone(uri: str) -> Iterator[None]:
    """One process at a time: two that make the tables of a new database, or look for the same run, break each other.

    The lock of a database lies beside it, for all folders that write to it; nobody waits in it for a server for long.
    """
    path = database(uri)
    lock = path.with_name(f"{path.name}.lock") if path else root() / ".mlflow.lock"
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=LOCK if path else CALL):
            yield
    except Timeout:
        raise Busy(f"has to wait for another process, which holds {lock}") from None


@contextlib.contextmanager
def patience(seconds: int) -> Iterator[None]:
    """How long one call may take, without a second try; what the user has set in the environment counts more."""
    wanted = {"MLFLOW_HTTP_REQUEST_TIMEOUT": str(seconds), "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    before = {name: os.environ.get(name) for name in wanted}
    ours = {name for name, value in before.items() if value is None or name in _SET}
    os.environ.update({name: wanted[name] for name in ours})
    _SET.update(ours)
    try:
        yield
    finally:
        for name in ours:
            value = before[name]
            if value is None:
                del os.environ[name]
                _SET.discard(name)
            else:
                os.environ[name] = value


def _probe_file(path: Path) -> None:
    if path.is_dir():
        raise Away("is a folder")
    if not path.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=CALL)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    except sqlite3.OperationalError as error:  # locked, or not to be read
        raise Busy(f"cannot be used now ({error})") from None
    except sqlite3.DatabaseError:
        raise Away("is damaged, or no database; move it away, or bring an older copy back") from None


def _probe_server(uri: str) -> None:
    """Any answer will do, also a refusal: a proxy may know no /health."""
    import requests

    try:
        requests.get(f"{uri.rstrip('/')}/health", timeout=PROBE, stream=True).close()
    except requests.Timeout:
        raise Away("does not answer") from None
    except requests.RequestException:
        raise Away("cannot be reached: nothing listens there") from None


def _probe_network_database(uri: str) -> None:
    """A database greets whoever connects; PostgreSQL when it is asked whether it encrypts."""
    parts = urlsplit(uri)
    kind = parts.scheme.partition("+")[0]
    try:
        with socket.create_connection((parts.hostname, parts.port or PORTS[kind]), timeout=PROBE) as connection:
            if kind.startswith("postgres"):
                connection.sendall(ENCRYPTS)
            if kind != "mssql" and not connection.recv(1):
                raise Away("ends the connection before it says anything")
    except TimeoutError:
        raise Away("does not answer") from None
    except OSError as error:
        raise Away(f"cannot be reached: {error.strerror or error}") from None


def _experiment(client: Any, uri: str, study: str) -> str:
    path = database(uri)
    if path and path.parent == root().absolute():
        moved.follow(path, study, path.parent / "mlruns")
    found = client.get_experiment_by_name(study)
    if found is None:
        return _create(client, study, (path.parent / "mlruns" / study).as_uri() if path else None)
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return found.experiment_id


def _create(client: Any, study: str, location: str | None) -> str:
    """Another machine may have been first."""
    try:
        return client.create_experiment(study, artifact_location=location, tags=EXPERIMENT)
    except Exception:
        found = client.get_experiment_by_name(study)
        if found is None:
            raise
        return found.experiment_id
