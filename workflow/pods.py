"""Kubernetes for Snakemake: each job is one of Kubernetes, with the pod of `workflow/profiles/kubernetes/pod.yaml`.

Snakemake's cluster-generic executor calls it, from a pod of the same cluster: its service account is what Kubernetes
puts into every pod. The folder of the study is a volume that all pods mount. (The executor plugin named kubernetes
shares no folder: it copies each file to object storage under another path, and the commands of dvc.yaml name paths.)

python -m workflow.pods submit JOBSCRIPT    prints the Job's name
python -m workflow.pods status NAME         prints running, success or failed
python -m workflow.pods cancel NAME…
"""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from kith.errors import KithError
from workflow import yamls

POD = Path("workflow/profiles/kubernetes/pod.yaml")
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")  # token, ca.crt, namespace
SECONDS = 30
ATTEMPTS = 5  # to ask how a Job is: a control plane is away for some seconds now and then
GPU = "nvidia.com/gpu"


def job_of(jobscript: Path, template: dict[str, Any], name: str) -> dict[str, Any]:
    """The manifest of a Job that runs a jobscript of Snakemake in this folder: `template` with name, command, and the
    resources of the stage, which its second line has. Raises KithError for a template without a container."""
    asked = _properties(jobscript)
    job = json.loads(json.dumps(template))
    job.setdefault("metadata", {})["name"] = name
    job["metadata"].setdefault("labels", {})["kith/stage"] = asked["rule"]
    job["spec"].setdefault("backoffLimit", 0)  # trying again is Snakemake's
    try:
        pod = job["spec"]["template"]["spec"]
        container = pod["containers"][0]
    except (KeyError, TypeError, IndexError):
        raise KithError(f"{POD}: expected a Job with spec.template.spec.containers") from None
    pod.setdefault("restartPolicy", "Never")
    container |= {"workingDir": str(Path.cwd()), "command": ["/bin/sh", str(jobscript.absolute())]}
    given = container.setdefault("resources", {})
    requests, limits = given.setdefault("requests", {}), given.setdefault("limits", {})
    requests["cpu"] = str(asked["threads"])
    wanted = asked["resources"]
    if "mem_mb" in wanted:
        requests["memory"] = limits["memory"] = f"{wanted['mem_mb']}Mi"
    if wanted.get("gpu"):
        limits[GPU] = str(wanted["gpu"])  # the request is the same: GPUs are not shared
    if "runtime" in wanted:
        job["spec"]["activeDeadlineSeconds"] = 60 * wanted["runtime"]
    return job


def status_of(job: dict[str, Any]) -> str:
    """running, success or failed, of a Job as Kubernetes describes it.

    >>> status_of({"status": {"conditions": [{"type": "Complete", "status": "True"}]}}), status_of({"status": {}})
    ('success', 'running')
    """
    held = {each["type"] for each in job["status"].get("conditions") or [] if each["status"] == "True"}
    return "failed" if "Failed" in held else "success" if "Complete" in held else "running"


def submit(jobscript: Path) -> str:
    """Start a Job; returns its name."""
    name = f"kith-{_properties(jobscript)['rule'].replace('_', '-')}-{uuid.uuid4().hex[:12]}"
    _call("POST", "", job_of(jobscript, yamls.read(yamls.text_of(POD), str(POD)), name))
    return name


def status(name: str) -> str:
    """Of a Job that was started; one that somebody has deleted has failed."""
    for attempt in range(ATTEMPTS):
        try:
            found = _call("GET", f"/{name}")
            break
        except KithError:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(2**attempt)
    return "failed" if found is None else status_of(found)


def cancel(names: list[str]) -> None:
    """Delete Jobs, with their pods."""
    for name in names:
        _call("DELETE", f"/{name}", {"propagationPolicy": "Background"})


def _properties(jobscript: Path) -> dict[str, Any]:
    mark = "# properties = "
    for line in jobscript.read_text(encoding="utf-8").splitlines():
        if line.startswith(mark):
            return json.loads(line.removeprefix(mark))
    raise KithError(f"{jobscript}: no jobscript of Snakemake: it has no line with '{mark.strip()}'")


def _call(method: str, path: str, content: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """What Kubernetes answers about the namespace's Jobs; None where there is no such Job. Raises KithError."""
    account = Path(os.environ.get("KITH_SERVICE_ACCOUNT", ACCOUNT))
    try:
        server = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
        token, namespace = ((account / name).read_text().strip() for name in ("token", "namespace"))
        trusted = ssl.create_default_context(cafile=str(account / "ca.crt"))
    except (KeyError, OSError) as error:
        raise KithError(f"no pod of Kubernetes ({error}): start Snakemake by {POD.with_name('run.yaml')}") from None
    request = urllib.request.Request(
        f"{server}/apis/batch/v1/namespaces/{namespace}/jobs{path}",
        method=method,
        data=None if content is None else json.dumps(content).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS, context=trusted) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 404 and method != "POST":
            return None
        raise KithError(f"Kubernetes refused {method} of Jobs in {namespace}: {_reason(error)}") from None
    except OSError as error:
        raise KithError(f"Kubernetes at {server} does not answer: {error}") from None


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return json.load(error)["message"]
    except (ValueError, KeyError, TypeError):
        return str(error)


def main(arguments: list[str]) -> None:
    """As Snakemake calls it."""
    what, *names = arguments
    if what == "submit":
        print(submit(Path(names[0])))
    elif what == "status":
        print(status(names[0]))
    elif what == "cancel":
        cancel(names)
    else:
        raise KithError(f"{what}: expected submit, status or cancel")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KithError as error:
        sys.exit(f"error: {error}")
