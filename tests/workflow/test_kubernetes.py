"""Jobs of Kubernetes: what is asked for, and a whole study through a stand-in for its API that runs each Job here."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from kith.errors import KithError
from tests.made_kubernetes import made_cluster
from tests.miniature import ALL, ROOT, Repository
from workflow import pods

FOLDER = ROOT / "workflow/profiles/kubernetes"
TEMPLATE = yaml.safe_load((FOLDER / "pod.yaml").read_text())
PROFILE = ("--profile", "workflow/profiles/kubernetes", "--seconds-between-status-checks", "1")

executed = pytest.mark.skipif(
    importlib.util.find_spec("snakemake_executor_plugin_cluster_generic") is None,
    reason="without snakemake-executor-plugin-cluster-generic",
)


def manifests() -> list[dict]:
    every = [yaml.safe_load_all(path.read_text()) for path in sorted(FOLDER.glob("*.yaml"))]
    return [each for documents in every for each in documents if "kind" in each]


def jobscript(folder: Path, **changes) -> Path:
    """As Snakemake writes it."""
    known = {"rule": "class_embedding", "threads": 3, "resources": {"mem_mb": 8000, "gpu": 1, "runtime": 90}}
    (folder / "job.sh").write_text(f"#!/bin/sh\n# properties = {json.dumps(known | changes)}\necho ran > made.txt\n")
    return folder / "job.sh"


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    (tmp_path / "account").mkdir()
    with made_cluster(tmp_path / "account") as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


def test_manifests_are_valid_for_kubernetes(tmp_path):
    validate = pytest.importorskip("kubernetes_validate").validate
    every = [*manifests(), pods.job_of(jobscript(tmp_path), TEMPLATE, "kith-train-0")]
    kinds = ["Job", "Job", "Job", "PersistentVolumeClaim", "Role", "RoleBinding", "ServiceAccount"]
    assert sorted(each["kind"] for each in every) == kinds
    for each in every:
        validate(each, "1.37", strict=True)


def test_manifests_name_each_other():
    by_kind = {(each["kind"], each["metadata"].get("name")): each for each in manifests()}
    run, template = (by_kind["Job", name] for name in ("kith-study", None))
    claims, images, places = set(), set(), set()
    for job in (run, template):
        pod = job["spec"]["template"]["spec"]
        volumes = {each["name"]: each for each in pod["volumes"]}
        (container,) = pod["containers"]
        claims.add(volumes["study"]["persistentVolumeClaim"]["claimName"])
        images.add(container["image"])
        places.add(next(each["mountPath"] for each in container["volumeMounts"] if each["name"] == "study"))
        assert {each["name"] for each in container["volumeMounts"]} == set(volumes)
        assert pod["securityContext"]["runAsUser"] == 1000  # as in the Dockerfile
    assert (len(images), len(places)) == (1, 1)
    assert ("PersistentVolumeClaim", claims.pop()) in by_kind
    assert not claims
    account = run["spec"]["template"]["spec"]["serviceAccountName"]
    (binding,) = (each for (kind, _), each in by_kind.items() if kind == "RoleBinding")
    assert ("ServiceAccount", account) in by_kind
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account}]
    rules = by_kind["Role", binding["roleRef"]["name"]]["rules"]
    assert rules == [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get", "delete"]}]


def test_a_job_has_what_its_stage_asks_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = pods.job_of(jobscript(tmp_path), TEMPLATE, "kith-train-0")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["requests"] == {"cpu": "3", "memory": "8000Mi"}
    assert container["resources"]["limits"] == {"memory": "8000Mi", "nvidia.com/gpu": "1"}
    assert job["spec"]["activeDeadlineSeconds"] == 5400
    assert job["spec"]["backoffLimit"] == 0
    assert container["command"] == ["/bin/sh", str(tmp_path / "job.sh")]
    assert container["workingDir"] == str(tmp_path)
    assert container["image"] == TEMPLATE["spec"]["template"]["spec"]["containers"][0]["image"]
    assert "resources" not in TEMPLATE["spec"]["template"]["spec"]["containers"][0]
    without = pods.job_of(jobscript(tmp_path, resources={"gpu": 0}), TEMPLATE, "kith-train-1")
    assert without["spec"]["template"]["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "3"}, "limits": {}}


def test_a_job_runs_and_its_end_is_seen(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pods, "POD", FOLDER / "pod.yaml")
    script = jobscript(tmp_path)
    good = pods.submit(script)
    cluster.processes[good].wait()  # a shell reads its script while it runs
    script.write_text(script.read_text() + "exit 3\n")
    bad = pods.submit(script)
    cluster.processes[bad].wait()
    assert [pods.status(name) for name in (good, bad, "kith-unknown")] == ["success", "failed", "failed"]
    assert (tmp_path / "made.txt").read_text() == "ran\n"
    assert good.startswith("kith-class-embedding-")
    script.write_text(script.read_text().replace("exit 3", "sleep 60"))
    going = pods.submit(script)
    assert pods.status(going) == "running"
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run([FOLDER / "cancel", going, "kith-unknown"], cwd=ROOT, env=environment, check=True)
    assert cluster.deleted == [going]


def test_what_kubernetes_refuses_and_where_there_is_none_is_said(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pods, "POD", FOLDER / "pod.yaml")
    (cluster.account / "token").write_text("of somebody else")
    with pytest.raises(KithError, match=r"refused POST of Jobs in studies: Unauthorized"):
        pods.submit(jobscript(tmp_path))
    (tmp_path / "none.sh").write_text("#!/bin/sh\n")
    with pytest.raises(KithError, match=r"none.sh: no jobscript"):
        pods.submit(tmp_path / "none.sh")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    with pytest.raises(KithError, match=r"no pod of Kubernetes .*run.yaml"):
        pods.cancel(["kith-train-0"])


def test_a_control_plane_that_is_away_for_a_moment_is_asked_again(monkeypatch):
    answers = iter([KithError("away"), KithError("away"), {"status": {}}])
    waited = []

    def call(*_):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(pods, "_call", call)
    monkeypatch.setattr(time, "sleep", waited.append)
    assert pods.status("kith-train-0") == "running"
    assert waited == [1, 2]


@executed
@pytest.mark.slow
def test_the_profile_plans(origin):
    said = origin.python("snakemake", *PROFILE[:2], "--dry-run", "--quiet", "rules")
    assert "train" in said


@executed
@pytest.mark.slow
def test_a_study_by_jobs_fails_goes_on_and_ends_with_the_bytes_of_this_machine(origin, by_snakemake, cluster):
    repository: Repository = origin.clone("kubernetes")
    repository.environment |= cluster.environment
    cluster.command_in = origin.environment  # a pod knows nothing of the one that has started it
    repository.edit("methods", b={"fails": True})
    said = repository.python("snakemake", *PROFILE, fails=True)
    assert "broken on purpose" in said
    assert sorted(repository.lock()) == ["prepare", "train@a-0"]
    assert [each["metadata"]["labels"]["kith/stage"] for each in cluster.jobs.values()] == ["prepare", "train", "train"]
    repository.edit("methods", b={"fails": False})
    (repository.path / "ran.txt").unlink()
    repository.python("snakemake", *PROFILE)
    assert (repository.path / "ran.txt").read_text().split() == ALL[2:]
    assert len(cluster.jobs) == 6
    assert repository.lock() == by_snakemake.lock()
    assert repository.dvc("repro") == repository.snakemake() == []
