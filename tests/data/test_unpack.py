"""Archives, good ones and those that want to write elsewhere; and data sets of the registry brought to their place."""

import hashlib
import io
import shutil
import stat
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from kith.data.obtain import missing, obtain
from kith.data.resuming import Patience
from kith.data.source import File, Recipe, Source
from kith.data.sources import SOURCES, find
from kith.data.unpack import is_archive, unpack
from kith.errors import KithError
from tests import made_server as served

QUICK = Patience(tries=2, rounds=1, first=0.01, longest=0.02, silence=2)
GOOD = {"set/one.txt": "1", "set/deep/two.txt": "2", "beside.txt": "3", "__MACOSX/set/._one.txt": "junk"}


def make(path: Path, members: dict[str, str]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in members.items():
                archive.writestr(name, text)
        return path
    with tarfile.open(path, "w:" + {".tar": "", ".tgz": "gz"}.get(path.suffix, path.suffix[1:])) as archive:
        for name, text in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


def files(folder: Path) -> dict[str, str]:
    return {file.relative_to(folder).as_posix(): file.read_text() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tgz", "x.tar.gz", "x.tar.bz2", "x.tar.xz"])
def test_all_of_an_archive_or_one_folder_of_it(tmp_path, name):
    assert is_archive(name)
    path = make(tmp_path / name, GOOD)
    assert unpack(path, tmp_path / "all") == 3
    assert files(tmp_path / "all") == {"set/one.txt": "1", "set/deep/two.txt": "2", "beside.txt": "3"}
    assert unpack(path, tmp_path / "some", "set") == 2
    assert files(tmp_path / "some") == {"one.txt": "1", "deep/two.txt": "2"}
    with pytest.raises(KithError, match="no file in it below 'se'"):
        unpack(path, tmp_path / "none", "se")


@pytest.mark.parametrize("name", ["x.zip", "x.tar"])
@pytest.mark.parametrize("member", ["../evil.txt", "set/../../evil.txt", "/tmp/evil.txt"])
@pytest.mark.parametrize("root", ["", "set"])
def test_paths_that_leave_the_folder_are_refused(tmp_path, name, member, root):
    path = make(tmp_path / name, {"set/one.txt": "1", member: "evil"})
    with pytest.raises(KithError, match="is not safe to unpack"):
        unpack(path, tmp_path / "out", root)
    assert not list(tmp_path.glob("evil*"))
    assert not Path("/tmp/evil.txt").exists()


@pytest.mark.parametrize("member", ["..\\evil.txt", "C:\\evil.txt", "c:evil.txt"])
def test_paths_of_windows_are_refused(tmp_path, member):
    with pytest.raises(KithError, match="would leave the folder"):
        unpack(make(tmp_path / "x.zip", {member: "evil"}), tmp_path / "out")


@pytest.mark.parametrize(
    ("kind", "target"),
    [(tarfile.SYMTYPE, "/etc"), (tarfile.SYMTYPE, "../.."), (tarfile.LNKTYPE, "../x.tar"), (tarfile.CHRTYPE, "")],
)
def test_links_and_devices_of_tar_archives_are_refused(tmp_path, kind, target):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("set/link")
        member.type, member.linkname = kind, target
        archive.addfile(member)
        below = tarfile.TarInfo("set/link/evil.txt")
        archive.addfile(below, io.BytesIO())
    with pytest.raises(KithError, match="is not safe to unpack"):
        unpack(path, tmp_path / "out")


def test_links_of_zip_archives_are_refused(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc")
    with pytest.raises(KithError, match="'link' is a link"):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz", "x.tar.xz", "x.tar"])
@pytest.mark.parametrize("share", [0.0, 0.4])
def test_broken_archives(tmp_path, name, share):
    path = make(tmp_path / name, {f"{i}.txt": hashlib.sha256(bytes([i])).hexdigest() * 100 for i in range(20)})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(KithError, match=r"cannot be unpacked|no file in it"):
        unpack(path, tmp_path / "out")
    path.write_text("This is no archive.")
    with pytest.raises(KithError, match="cannot be unpacked"):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize(("name", "told"), [("x.zip", "100,000 bytes"), ("x.tar", "102,400 bytes or more")])
def test_no_room_for_what_an_archive_holds(tmp_path, monkeypatch, name, told):
    path = make(tmp_path / name, {"zeros": "0" * 100_000})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=99_999))
    with pytest.raises(KithError, match=f"{told} are to be unpacked, and 99,999 are free"):
        unpack(path, tmp_path / "out")


# Data sets of the registry


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv("http_proxy", raising=False)
    with served.serving() as server:
        yield server


def given(*files: File) -> Source:
    return replace(find("image_folder"), name="mine", recipe=Recipe("free", "http://home", files))


def offered(server, path: Path, **options) -> File:
    data = path.read_bytes()
    url = server.on(f"/{path.name}", served.whole(data))
    return File(url, f"sha256:{hashlib.sha256(data).hexdigest()}", **options)


def test_a_data_set_of_archives_and_files(server, tmp_path):
    photos = offered(server, make(tmp_path / "photos.tgz", GOOD), root="set")
    (tmp_path / "list.txt").write_text("one two")
    listed = offered(server, tmp_path / "list.txt")._replace(checksum="")
    mine = given(photos, listed)
    record = obtain(mine, tmp_path / "data" / "mine", tmp_path / "downloads", patience=QUICK)
    assert files(tmp_path / "data" / "mine") == {"one.txt": "1", "deep/two.txt": "2", "list.txt": "one two"}
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["mine"]
    assert [(each["name"], each["pinned"]) for each in record["files"]] == [("photos.tgz", True), ("list.txt", False)]
    assert record["files"][1]["checksum"] == f"sha256:{hashlib.sha256(b'one two').hexdigest()}"
    assert record["licence"] == "free"
    shutil.rmtree(tmp_path / "data")
    obtain(mine, tmp_path / "data" / "mine", tmp_path / "downloads", offline=True)
    assert len(server.seen["/photos.tgz"]) == 1


def test_an_archive_that_is_itself_the_data_set(server, tmp_path):
    mine = given(offered(server, make(tmp_path / "cifar.tar.gz", GOOD)))
    obtain(mine, tmp_path / "data" / "any.tar.gz", tmp_path / "downloads", patience=QUICK)
    assert (tmp_path / "data" / "any.tar.gz").read_bytes() == (tmp_path / "cifar.tar.gz").read_bytes()
    obtain(mine, tmp_path / "data" / "any", tmp_path / "downloads", patience=QUICK)
    assert (tmp_path / "data" / "any" / "set" / "one.txt").is_file()


def test_nothing_is_left_of_a_bad_archive(server, tmp_path):
    good = offered(server, make(tmp_path / "good.zip", GOOD))
    mine = given(good, offered(server, make(tmp_path / "evil.zip", {"../evil.txt": "evil"})))
    with pytest.raises(KithError, match="not safe"):
        obtain(mine, tmp_path / "data" / "mine", tmp_path / "downloads", patience=QUICK)
    assert list((tmp_path / "data").iterdir()) == []


def test_what_is_there_is_not_touched(server, tmp_path):
    mine = given(offered(server, make(tmp_path / "good.zip", GOOD)))
    (tmp_path / "mine").mkdir()
    with pytest.raises(KithError, match="is there already"):
        obtain(mine, tmp_path / "mine", tmp_path / "downloads", patience=QUICK)


def test_data_sets_that_cannot_be_downloaded(tmp_path):
    with pytest.raises(KithError) as caught:
        obtain(find("ilsvrc"), tmp_path / "imagenet", tmp_path / "downloads")
    told = str(caught.value)
    assert "register at image-net.org, agree to the terms" in told
    assert f"put the files into {tmp_path / 'imagenet'}" in told
    assert "terms: non-commercial" in told
    assert "fill in the form there, download nabirds.tar.gz" in missing(find("nab"), tmp_path)
    assert missing(find("table"), Path("x.csv")) == "x.csv: no such file or folder; mend fetch.path"
    assert "set fetch.download: true to get cifar-10-python.tar.gz (0.2 GB or more)" in missing(
        find("cifar10"), Path("x")
    )


def test_the_registry():
    for source, recipe in ((name, each.recipe) for name, each in SOURCES.items() if each.recipe):
        assert bool(recipe.files) != bool(recipe.by_hand), source
        assert recipe.licence, source
        assert "\n" not in recipe.licence, source
        names = [file.name for file in recipe.files]
        assert all(names), source
        assert len(set(names)) == len(names), source
        for file in recipe.files:
            kind, _, digest = file.checksum.partition(":")
            assert file.checksum == "" or len(digest) == {"md5": 32, "sha256": 64}[kind], file.url
