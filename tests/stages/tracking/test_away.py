"""MLflow is away, or goes away: no stage fails or waits for long, and nothing that it recorded is lost."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import mlflow
import pytest

from kith.errors import KithError
from kith.store.prepared import Prepared
from stages import track, tracking, train
from stages.tracking import connection, recorder, sender, spool
from tests.stages.test_train_stage import INPUTS, outputs
from tests.stages.tracking.test_tracking import ROOT, complete, run_method, runs

PATIENT = 15  # seconds: a few, on a machine that is busy; MLflow's own way takes minutes


@pytest.fixture
def refused(monkeypatch) -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return uri


@pytest.fixture
def silent(monkeypatch):
    """A server that takes connections and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        uri = f"http://127.0.0.1:{listening.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        yield uri


def later(monkeypatch) -> None:
    """The server is back, at another address: that of the repository's own database."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    track.main(send=True, to=f"sqlite:///{Path('mlflow.db').resolve()}")


@pytest.mark.parametrize("server", ["refused", "silent"])
def test_a_server_that_is_away_costs_seconds_once_and_no_record(study, server, request, monkeypatch, capsys):
    uri = request.getfixturevalue(server)
    start = time.monotonic()
    tracking.log_stage("text", {"a": 1}, {"b": 2.0})
    first = time.monotonic() - start
    tracking.log_stage("taxonomy", {"a": 1}, {"b": 3.0})
    second = time.monotonic() - start - first
    assert first < PATIENT
    assert second < connection.PROBE  # known by then, and not asked again
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert f"MLflow: {uri} {'does not answer' if server == 'silent' else 'cannot be reached'}" in said[0]
    assert "kith track --send" in said[0]
    later(monkeypatch)
    table = runs()
    assert table["tags.stage"].value_counts().to_dict() == {"study": 1, "text": 1, "taxonomy": 1}
    assert (table["status"] == "FINISHED").all()
    assert (table.loc["text", "metrics.b"], table.loc["taxonomy", "metrics.b"]) == (2.0, 3.0)
    assert not spool.waiting()
    assert not list(spool.folder().glob("*.files"))


@pytest.mark.parametrize("kind", ["postgresql", "postgresql+psycopg2", "mysql", "mssql"])
def test_a_database_that_is_away_is_found_out_before_its_driver_waits(refused, kind):
    with pytest.raises(connection.Away, match="cannot be reached: Connection refused"):
        connection.probe(f"{refused.replace('http', kind)}/runs")


@pytest.mark.parametrize("kind", ["postgresql", "mysql+pymysql"])
def test_a_database_that_never_answers_is_away(silent, kind, monkeypatch):
    monkeypatch.setattr(connection, "PROBE", 0.2)
    with pytest.raises(connection.Away, match="does not answer"):
        connection.probe(f"{silent.replace('http', kind)}/runs")


@pytest.mark.parametrize("uri", ["postgresql:///runs", "databricks", "sqlite:////tmp/none.db", "file:mlruns"])
def test_what_is_not_asked_over_the_network_is_not_probed_there(uri):
    assert not connection.is_network_database(uri)
    connection.probe(uri)


def test_a_training_without_its_server_is_recorded_whole(study, refused, monkeypatch, capsys):
    run = run_method()
    model = (run / "model.pt").read_bytes()
    (run / "model.pt").unlink()  # what was trained is kept, not what is there when it is sent
    (run / "metrics.json").write_text("{}")
    later(monkeypatch)
    row = runs().loc["infonce-0"]
    client = mlflow.MlflowClient()
    assert [metric.step for metric in client.get_metric_history(row["run_id"], "val_mrr")] == [1, 2, 3, 4]
    assert row["metrics.test/text_to_image/R1"] > 0
    kept = mlflow.artifacts.download_artifacts(f"runs:/{row['run_id']}/metrics.json")
    assert json.loads(Path(kept).read_text())["splits"]
    logged = mlflow.artifacts.download_artifacts(f"runs:/{row['run_id']}/model/artifacts/model.pt")
    assert Path(logged).read_bytes() == model


@pytest.mark.parametrize("at", [3, 8])
def test_a_server_that_goes_in_the_middle_is_made_up_for_by_the_next_stage(study, at, monkeypatch, capsys):
    """`at`: the operation that finds it gone."""
    does, count = sender.Sender.do, iter(range(1000))

    def until(self, operation):
        if next(count) >= at:
            raise ConnectionError("gone")
        does(self, operation)

    with monkeypatch.context() as patch:
        patch.setattr(sender.Sender, "do", until)
        train.main(method="infonce", seed=0, **INPUTS, **outputs("infonce-0"))
    assert capsys.readouterr().err.count("MLflow: ") == 1
    spool.answered()  # a minute has passed
    complete(Path("runs/shapes/infonce-0"))
    table = runs()
    assert list(table.index[table["tags.stage"] == "train"]) == ["infonce-0"]
    row = table.loc["infonce-0"]
    steps = [metric.step for metric in mlflow.MlflowClient().get_metric_history(row["run_id"], "val_mrr")]
    assert steps == [1, 2, 3, 4]
    assert row["status"] == "FINISHED"
    assert row["metrics.test/text_to_image/R1"] > 0


def test_a_record_that_mlflow_refuses_is_left_out(study, capsys):
    tracking.log_stage("text", {}, {"50 %": 1.0, "fine": 2.0})
    tracking.log_stage("taxonomy", {}, {"fine": 3.0})
    assert "refuses a record" in capsys.readouterr().err
    assert runs().loc["taxonomy", "metrics.fine"] == 3.0
    assert not spool.waiting()


def test_what_waits_is_listed_and_stays_where_it_cannot_be_sent(study, refused, capsys):
    tracking.log_stage("text", {}, {"y": 1.0})
    capsys.readouterr()
    track.main()
    assert f"study shapes, 5 records for {refused}" in capsys.readouterr().out
    with pytest.raises(KithError, match=r"cannot be reached.*still waits"):
        track.main(send=True)
    assert len(spool.waiting()) == 1


def test_books_of_processes_that_were_killed_are_sent_and_half_a_line_is_not(study, refused, monkeypatch):
    tracking.log_stage("text", {}, {"y": 1.0})
    ((path, _),) = spool.waiting()
    with path.open("a") as book:
        book.write('{"do": "metr')
    later(monkeypatch)
    assert runs().loc["text", "metrics.y"] == 1.0


@pytest.mark.parametrize("at", [0, 1, -1])  # what it is for, the parent run, the end
def test_a_damaged_line_of_a_book_costs_no_other(study, refused, monkeypatch, capsys, at):
    tracking.log_stage("taxonomy", {}, {"y": 1.0})
    tracking.log_stage("text", {}, {"y": 2.0})
    (path, _), (other, _) = spool.waiting()
    lines = path.read_bytes().splitlines(keepends=True)
    lines[at] = lines[at].replace(b"a", b"`", 1)  # a bit, and still JSON
    path.write_bytes(b"".join(lines))
    capsys.readouterr()
    later(monkeypatch)
    assert runs().loc["text", "metrics.y"] == 2.0
    assert not other.exists()
    assert path.exists() == (at == 0)
    if at == 0:
        assert f"{path}: its first line is damaged" in capsys.readouterr().err
    if at == -1:
        assert runs().loc["taxonomy", "metrics.y"] == 1.0


def test_a_book_of_before_has_no_checksums(study, refused, monkeypatch):
    tracking.log_stage("text", {}, {"y": 2.0})
    ((path, _),) = spool.waiting()
    path.write_text("".join(json.dumps(line) + "\n" for line in spool.read(path)))
    later(monkeypatch)
    assert runs().loc["text", "metrics.y"] == 2.0


def test_a_slow_server_does_not_make_a_training_slow(study, monkeypatch, capsys):
    """Every answer takes its time, none too long: after some of them the rest waits."""
    answer, asked = mlflow.MlflowClient.log_batch, []
    reached = connection.connect(f"sqlite:///{Path('mlflow.db').resolve()}", "shapes")

    def slowly(*given, **named):
        asked.append(time.sleep(0.2))
        return answer(*given, **named)

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://slow")
    with monkeypatch.context() as patch:
        patch.setattr(connection, "connect", lambda *given: reached._replace(store="http://slow"))
        patch.setattr(sender, "probe", lambda store: None)
        patch.setattr(recorder, "SLOW", 1.0)
        patch.setattr(mlflow.MlflowClient, "log_batch", slowly)
        with tracking.training("infonce", 0, {"a": 1}, "one", Prepared(Path("data/shapes/prepared")), True) as run:
            for epoch in range(1, 51):
                run.epoch({"epoch": epoch, "val_mrr": 0.5})
    assert len(asked) < 12  # of more than fifty
    said = capsys.readouterr().err
    assert re.search(r"http://slow is slow: \d+ seconds went by for its answers; records wait", said)
    later(monkeypatch)
    history = mlflow.MlflowClient().get_metric_history(runs().loc["infonce-0", "run_id"], "val_mrr")
    assert [each.step for each in history] == list(range(1, 51))


def test_a_book_that_is_being_written_is_left_alone(study):
    book = spool.Book("mlflow.db", "shapes")
    book.keep({"do": "known", "runs": {}})
    tracking.log_stage("text", {}, {"y": 1.0})
    assert len(spool.waiting()) == 1
    book.close()
    tracking.log_stage("text", {}, {"y": 1.0})
    assert not spool.waiting()


def test_in_a_run_of_an_engine_a_training_sends_what_short_stages_have_kept(study, monkeypatch, capsys):
    """They need not wait until MLflow has started."""
    monkeypatch.setenv("KITH_ENGINE", "snakemake")
    before = Path("mlflow.db").read_bytes()
    tracking.log_stage("text", {}, {"y": 1.0})
    tracking.log_stage("taxonomy", {}, {"y": 2.0})
    assert Path("mlflow.db").read_bytes() == before
    assert len(spool.waiting()) == 2
    with tracking.training("infonce", 0, {"a": 1}, "one", Prepared(Path("data/shapes/prepared")), True):
        assert not spool.waiting()
    table = runs()
    assert table["tags.stage"].value_counts().to_dict() == {"study": 1, "text": 1, "taxonomy": 1, "train": 1}
    assert set(table["tags.engine"]) == {"snakemake"}
    assert (table["status"] == "FINISHED").all()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("content", [b"no database at all, but junk", b"SQLite format 3\0" + b"junk" * 500])
def test_a_damaged_database_is_one_line(study, content, capsys):
    Path("mlflow.db").write_bytes(content)
    tracking.log_stage("text", {}, {"y": 1.0})
    (line,) = capsys.readouterr().err.splitlines()
    assert "mlflow.db is damaged, or no database; move it away" in line
    assert len(spool.waiting()) == 1


def test_a_password_is_neither_shown_nor_written(study, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    tracking.log_stage("text", {}, {"y": 1.0})
    assert "secret" not in capsys.readouterr().err + "".join(path.read_text() for path, _ in spool.waiting())
    assert recorder.address("http://127.0.0.1:9") == "http://me:secret@127.0.0.1:9"


def test_clones_that_begin_one_new_database_together(study, tmp_path, monkeypatch):
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
        (folder / "params.yaml").write_bytes(Path("params.yaml").read_bytes())
    uri = f"sqlite:///{tmp_path / 'shared.db'}"
    script = "from stages import tracking; tracking.log_stage('text', {'x': 1}, {'y': 2.0})"
    own = os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": uri}
    together = [subprocess.Popen([sys.executable, "-c", script], env=own, cwd=folder) for folder in folders]
    assert [process.wait(timeout=300) for process in together] == [0] * 3
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    for folder in folders:  # one that waited for too long is made up for
        monkeypatch.chdir(folder)
        track.main(send=True)
    found = mlflow.MlflowClient(uri).search_experiments(filter_string="name = 'shapes'")
    assert len(found) == 1
    table = mlflow.MlflowClient(uri).search_runs([found[0].experiment_id])
    assert sorted(run.data.tags["stage"] for run in table) == ["study", "text", "text", "text"]
    assert connection.database(uri) == tmp_path / "shared.db"
