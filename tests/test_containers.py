"""Dockerfile and compose.yaml, read as text: what they copy is there, nobody is root, and commands are commands.

They are not built here: that takes a Docker daemon and half an hour.
"""

import fnmatch
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from kith.search.access import checked
from stages import cli, search
from stages.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
VARIABLE = re.compile(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}")


@pytest.fixture(scope="module")
def instructions() -> list[tuple[str, str]]:
    """(name, arguments) of the Dockerfile, lines joined, comments left out."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line.strip())]


@pytest.fixture(scope="module")
def services() -> dict[str, dict]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def all_of(instructions: list[tuple[str, str]], name: str) -> list[str]:
    return [rest for each, rest in instructions if each == name]


def tracked() -> list[str]:
    found = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    return found.stdout.splitlines()


def test_what_is_copied_is_there_and_not_ignored(instructions):
    *ignored, _ = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith(("*", "!"))]
    assert ignored[0] == "*"
    allowed = [line.removeprefix("!") for line in ignored[1:]]
    files = tracked()
    for rest in all_of(instructions, "COPY"):
        *sources, _ = rest.split()
        for source in sources:
            assert any(fnmatch.fnmatch(name, source) or name.startswith(f"{source}/") for name in files), source
            assert source in allowed, f"{source} is ignored"


def test_the_build_has_every_file_that_the_package_reads(instructions):
    project = (ROOT / "pyproject.toml").read_text()
    copied = [source for rest in all_of(instructions, "COPY") for source in rest.split()[:-1]]
    named = [*re.findall(r'file = \["([^"]+)"\]', project), re.search(r'readme = "([^"]+)"', project)[1]]
    assert named
    for name in named:
        assert any(fnmatch.fnmatch(name, source) for source in copied), name
    for package in re.findall(r'"(\w+)\*"', re.search(r"include = \[(.*)\]", project)[1]):
        assert package in copied


def test_nobody_is_root_and_versions_are_pinned(instructions):
    names = [name for name, _ in instructions]
    assert names[0] == "FROM"
    (image,) = all_of(instructions, "FROM")
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", image)
    (user,) = all_of(instructions, "USER")
    assert user not in ("root", "0")
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert any(f"useradd --create-home --uid 1000 {user}" in rest for rest in all_of(instructions, "RUN"))
    runs = " && ".join(all_of(instructions, "RUN"))
    assert re.search(r"apt-get update\s+&& apt-get install", runs)  # one layer: or the list grows old alone
    assert "--no-install-recommends" in runs
    assert "rm -rf /var/lib/apt/lists" in runs
    for words in re.findall(r"pip install ([^&]+)", runs):
        options = re.sub(r"--?[a-z-]+ \S+", "", words)  # with their values
        own = [word for word in shlex.split(options) if re.fullmatch(r"[a-z0-9][a-z0-9-]*(==.*)?", word)]
        assert all("==" in word for word in own), words
    assert "sudo" not in runs
    assert "ADD" not in names


def test_the_container_is_watched_where_the_server_answers(instructions):
    (health,), (port,) = all_of(instructions, "HEALTHCHECK"), all_of(instructions, "EXPOSE")
    assert f"http://127.0.0.1:{port}/healthz" in health
    options = {parameter.name: parameter for parameter in cli.command(search.main).params}
    assert options["port"].default == int(port)
    assert all_of(instructions, "ENTRYPOINT") == ['["kith"]']


def valued(text: str) -> str:
    """With variables as .env would set them, or their defaults."""
    given = {"KITH_TOKEN": "a-token-of-letters-0123", "POSTGRES_PASSWORD": "secret"}
    return VARIABLE.sub(lambda found: given.get(found[1], found[3] or ""), text)


def test_the_search_starts_with_options_that_it_has(services):
    name, *arguments = map(valued, services["search"]["command"])
    assert COMMANDS[name] == "stages.search"
    parsed = cli.command(search.main).make_context(name, arguments)
    assert parsed.params["serve"]
    assert parsed.params["host"] == "0.0.0.0"
    assert checked(valued(services["search"]["environment"]["KITH_TOKEN"]))
    options = {parameter.name: parameter for parameter in cli.command(search.main).params}
    assert options["token"].envvar == "KITH_TOKEN"


def test_ports_are_open_to_this_computer_alone(services):
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert sorted(ports) == ["127.0.0.1:5000:5000", "127.0.0.1:8000:8000"]
    assert "ports" not in services["postgres"]


def test_secrets_are_not_written_down(services):
    text = (ROOT / "compose.yaml").read_text()
    for name in ("KITH_TOKEN", "POSTGRES_PASSWORD"):
        uses = [found for found in VARIABLE.finditer(text) if found[1] == name]
        assert uses
        assert all(found[2] == ":?" for found in uses), f"{name} has a default"


def test_services_wait_for_what_they_need(services):
    whole = yaml.safe_load((ROOT / "compose.yaml").read_text())
    assert set(services) == {"search", "mlflow", "postgres"}
    for service in services.values():
        for other, how in service.get("depends_on", {}).items():
            assert how["condition"] == "service_healthy"
            assert "healthcheck" in services[other]
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.startswith("./") or source in whole["volumes"]
    assert "postgres" in services["mlflow"]["depends_on"]
    uri = valued(services["mlflow"]["environment"]["MLFLOW_BACKEND_STORE_URI"])
    assert uri == "postgresql+psycopg2://mlflow:secret@postgres/mlflow"
    assert services["postgres"]["environment"]["POSTGRES_DB"] == "mlflow"


def test_mlflow_starts_with_options_that_it_has(services):
    from mlflow.cli import server

    name, *arguments = services["mlflow"]["command"]
    known = {option for parameter in server.params for option in parameter.opts}
    assert name == "server"
    assert {each for each in arguments if each.startswith("--")} <= known
    stores = next(each for each in server.params if "--backend-store-uri" in each.opts)
    assert "MLFLOW_BACKEND_STORE_URI" in (stores.envvar if isinstance(stores.envvar, list) else [stores.envvar])
