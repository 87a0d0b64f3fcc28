"""The part of Kubernetes' API that Kith uses, over TLS on this computer: a Job that is made runs here."""

import json
import os
import re
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

PATH = re.compile(r"/apis/batch/v1/namespaces/studies/jobs(?:/([\w-]+))?")
TOKEN = "of-the-service-account"


class MadeCluster:
    """jobs: the manifests that came, by name; deleted: the names of those that were deleted; environment: that of a
    pod. `command_in`: what the container's command is run with."""

    def __init__(self, server: ThreadingHTTPServer, account: Path):
        self.server, self.account = server, account
        self.jobs: dict[str, dict[str, Any]] = {}
        self.processes: dict[str, subprocess.Popen] = {}
        self.deleted: list[str] = []
        self.environment = {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(server.server_port),
            "KITH_SERVICE_ACCOUNT": str(account),
        }
        self.command_in: dict[str, str] = {}

    def make(self, job: dict[str, Any]) -> tuple[int, Any]:
        """As Kubernetes: a name once, a container that runs."""
        name = job["metadata"]["name"]
        if name in self.jobs or len(name) > 63:
            return 409, {"message": f"no Job can have the name {name}"}
        (container,) = job["spec"]["template"]["spec"]["containers"]
        self.jobs[name] = job
        self.processes[name] = subprocess.Popen(
            container["command"],
            cwd=container["workingDir"],
            env=self.command_in,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return 201, job

    def state(self, name: str) -> tuple[int, Any]:
        if name not in self.jobs or name in self.deleted:
            return 404, {"message": f'jobs.batch "{name}" not found'}
        code = self.processes[name].poll()
        if code is None:
            return 200, self.jobs[name] | {"status": {"active": 1}}
        kind = "Complete" if code == 0 else "Failed"
        return 200, self.jobs[name] | {"status": {"conditions": [{"type": kind, "status": "True"}]}}

    def delete(self, name: str) -> tuple[int, Any]:
        code, job = self.state(name)
        if code == 200:
            self.deleted.append(name)
            self.processes[name].kill()
        return code, job


@contextmanager
def made_cluster(folder: Path) -> Iterator[MadeCluster]:
    """A cluster whose service account is in a folder."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*_certificate(folder))
    (folder / "token").write_text(TOKEN)
    (folder / "namespace").write_text("studies")
    server = ThreadingHTTPServer(("127.0.0.1", 0), MadeAnswers)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    cluster = MadeCluster(server, folder)
    server.cluster = cluster
    cluster.command_in = dict(os.environ)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield cluster
    finally:
        for process in cluster.processes.values():
            process.kill()
            process.wait()
        server.shutdown()
        server.server_close()


class MadeAnswers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(lambda cluster, name: cluster.make(json.loads(content)))

    def do_GET(self) -> None:
        self._answer(lambda cluster, name: cluster.state(name))

    def do_DELETE(self) -> None:
        self._answer(lambda cluster, name: cluster.delete(name))

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, of: Any) -> None:
        found = PATH.fullmatch(self.path)
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            code, content = 401, {"message": "Unauthorized"}
        elif not found:
            code, content = 403, {"message": f"{self.path} is forbidden"}
        else:
            code, content = of(self.server.cluster, found[1])
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Of 127.0.0.1, signed by itself: ca.crt, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "made-cluster")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))
    return folder / "ca.crt", folder / "key"
