"""Storage that speaks S3, for both engines: a server of moto on this computer stands in for it."""

import importlib.util
from collections.abc import Iterator

import pytest
import yaml

from tests.miniature import ALL, DEFINITION, Repository, copy

moto = pytest.importorskip("moto.server", reason="without moto")
pytestmark = pytest.mark.slow
KEYS = {"AWS_ACCESS_KEY_ID": "a-key", "AWS_SECRET_ACCESS_KEY": "a-secret", "AWS_DEFAULT_REGION": "us-east-1"}


def needs(*modules: str) -> pytest.MarkDecorator:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"without {', '.join(missing)}")


by_dvc_alone = needs("dvc_s3")
by_plugin = needs("snakemake_storage_plugin_s3")


class MadeStore:
    """Buckets of one server; `environment`: how programs find it."""

    def __init__(self, endpoint: str):
        import boto3

        self.endpoint = endpoint
        self.environment = KEYS | {"AWS_ENDPOINT_URL": endpoint, "SNAKEMAKE_STORAGE_S3_ENDPOINT_URL": endpoint}
        keys = {"aws_access_key_id": KEYS["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": KEYS["AWS_SECRET_ACCESS_KEY"]}
        self.client = boto3.client("s3", endpoint_url=endpoint, region_name=KEYS["AWS_DEFAULT_REGION"], **keys)
        self.client.create_bucket(Bucket="kith")

    def put(self, key: str, text: str) -> None:
        self.client.put_object(Bucket="kith", Key=key, Body=text.encode())

    def objects(self, prefix: str) -> dict[str, bytes]:
        """Contents by key, those below a prefix."""
        found = self.client.list_objects_v2(Bucket="kith", Prefix=prefix).get("Contents", [])
        return {each["Key"]: self.client.get_object(Bucket="kith", Key=each["Key"])["Body"].read() for each in found}


@pytest.fixture(scope="module")
def store() -> Iterator[MadeStore]:
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield MadeStore(f"http://{host}:{port}")
    finally:
        server.stop()


def outputs(repository: Repository) -> dict[str, bytes]:
    every = [path for folder in ("data", "runs", "reports") for path in (repository.path / folder).rglob("*.*")]
    return {
        str(path.relative_to(repository.path)): path.read_bytes()
        for path in every
        if path.is_file() and not path.name.startswith(".")
    }


@by_dvc_alone
def test_what_is_pushed_is_pulled_elsewhere_and_nothing_is_left_to_do(by_dvc, tmp_path, store):
    here = copy(by_dvc, tmp_path)
    here.environment |= store.environment
    here.python("dvc", "remote", "add", "--default", "store", "s3://kith/pushed")
    here.python("dvc", "remote", "modify", "store", "endpointurl", store.endpoint)
    here.commit()
    here.python("dvc", "push")
    assert len(store.objects("pushed/")) >= 3
    there = here.clone("elsewhere")
    there.environment = here.environment | {"DVC_SITE_CACHE_DIR": str(tmp_path / "site")}
    there.python("dvc", "pull")
    assert outputs(there) == outputs(here)
    assert len(outputs(there)) == 5
    there.python("stages.cli", "adopt")
    assert there.snakemake() == there.dvc("repro") == []


@by_dvc_alone
def test_a_table_is_imported_and_updated(origin, store):
    """`dvc import-url`: what came is pinned by its checksum, until `dvc update`."""
    repository = origin.clone("imported")
    repository.environment |= store.environment
    store.put("tables/two.txt", "first")
    repository.python("dvc", "import-url", "s3://kith/tables/two.txt", "source/two.txt")
    assert repository.dvc("repro") == ALL
    store.put("tables/two.txt", "second, longer")
    assert (repository.path / "source/two.txt").read_text() == "first"
    repository.python("dvc", "update", "source/two.txt.dvc")
    assert (repository.path / "source/two.txt").read_text() == "second, longer"
    assert "prepare" in repository.dvc("repro")


def with_table(origin: Repository, name: str) -> Repository:
    """A study that reads one table, which is not here."""
    repository = origin.clone(name)
    read = DEFINITION.replace("      - source\n", "      - ${fetch.path}\n")
    read = read.replace("--read prepare --out", "--read prepare --needs ${fetch.path} --out")
    (repository.path / "dvc.yaml").write_text(read)
    params = yaml.safe_load((repository.path / "params.yaml").read_text())
    (repository.path / "params.yaml").write_text(yaml.safe_dump(params | {"fetch": {"path": "shop/table.txt"}}))
    return repository


@by_plugin
def test_a_run_reads_its_table_from_the_store_and_stores_its_results_there(origin, tmp_path, store):
    repository = with_table(origin, "stored")
    repository.environment |= store.environment | {"KITH_STORE": "s3://kith/study"}
    store.put("study/shop/table.txt", "a row")
    of_s3 = "--snakefile", "workflow/s3.smk"
    assert repository.snakemake(*of_s3) == ALL
    here = {f"study/{name}": content for name, content in outputs(repository).items() if not name.startswith("data/")}
    assert len(here) == 4
    there = {key: each for key, each in store.objects("study/").items() if ".snakemake" not in key}
    assert there.pop("study/shop/table.txt") == b"a row"
    assert there == here
    assert repository.snakemake(*of_s3) == []
    assert repository.dvc("repro") == repository.snakemake() == []

    local = with_table(origin, "local")
    (local.path / "shop").mkdir()
    (local.path / "shop/table.txt").write_text("a row")
    assert local.snakemake() == ALL
    assert local.lock() == repository.lock()

    store.put("study/shop/table.txt", "another row")
    assert repository.snakemake(*of_s3) == ALL
    assert b"another row" in store.objects("study/")["study/runs/mini/a-0/model.txt"]


@by_plugin
def test_without_a_place_the_run_ends_with_what_to_set(origin):
    repository = with_table(origin, "nowhere")
    assert "KITH_STORE: expected the place" in repository.python(
        "snakemake", "--snakefile", "workflow/s3.smk", "--cores", "1", fails=True
    )
