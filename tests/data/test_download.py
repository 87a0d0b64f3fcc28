"""Downloads from a local server that breaks, stalls, lies and recovers."""

import hashlib
import os
import shutil
import threading
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from kith.data import download, resuming
from kith.data.download import fetch
from kith.data.resuming import Patience, Resuming
from kith.data.source import File
from kith.errors import KithError
from tests import made_server as made

DATA = np.random.default_rng(0).bytes(600_000)
OTHER = np.random.default_rng(1).bytes(600_000)
QUICK = Patience(tries=3, rounds=1, first=0.01, longest=0.02, connect=5, silence=0.5)


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def md5(data: bytes) -> str:
    return f"md5:{hashlib.md5(data).hexdigest()}"


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with made.serving() as server:
        yield server


def fault(*files: File, folder, **options) -> str:
    options.setdefault("patience", QUICK)
    with pytest.raises(KithError) as caught:
        fetch(files, folder, **options)
    return str(caught.value)


def left(folder) -> list[str]:
    return sorted(name for name in os.listdir(folder) if not name.endswith(".lock"))


@pytest.mark.parametrize("checksum", [sha256, md5, lambda data: ""])
def test_a_file(server, tmp_path, checksum):
    url = server.on("/a%20b.bin", made.whole(DATA))
    file = File(f"{url}?download=1", checksum(DATA))
    server.answers["/a%20b.bin?download=1"] = server.answers["/a%20b.bin"]
    (found,) = fetch([file], tmp_path / "raw", patience=QUICK)
    assert found.path == tmp_path / "raw" / "a b.bin"
    assert found.path.read_bytes() == DATA
    assert (found.checksum, found.bytes) == (checksum(DATA) or sha256(DATA), len(DATA))
    assert left(tmp_path / "raw") == ["a b.bin"]
    umask = os.umask(0)
    os.umask(umask)
    assert found.path.stat().st_mode & 0o777 == 0o666 & ~umask
    fetch([file], tmp_path / "raw", patience=QUICK)
    assert sum(map(len, server.seen.values())) == 1


@pytest.mark.parametrize("pinned", [True, False])
def test_a_dropped_connection_is_continued(server, tmp_path, pinned):
    url = server.on("/x.bin", made.broken(DATA, 0.5, etag='"1"'), made.broken(DATA, 0.9), made.whole(DATA, etag='"1"'))
    (found,) = fetch([File(url, sha256(DATA) if pinned else "")], tmp_path, patience=QUICK)
    assert found.path.read_bytes() == DATA
    first, second, third = server.seen["/x.bin"]
    assert first is None
    # What a broken read had buffered may be lost, no more.
    assert 300_000 - resuming.BLOCK <= int(second[6:-1]) <= 300_000 < int(third[6:-1])
    assert left(tmp_path) == ["x.bin"]


def test_tries_begin_anew_with_every_byte_gained(server, tmp_path):
    breaks = [made.broken(DATA, 0.4) for _ in range(5)]
    url = server.on("/x.bin", *breaks, made.whole(DATA))
    assert fetch([File(url, sha256(DATA))], tmp_path, patience=QUICK)[0].path.read_bytes() == DATA
    assert len(server.seen["/x.bin"]) == 6


def test_a_later_run_continues(server, tmp_path):
    url = server.on("/x.bin", made.broken(DATA), made.status(503))
    told = fault(File(url, sha256(DATA)), folder=tmp_path)
    assert f"x.bin could not be downloaded:\n  {url}: 503 Service Unavailable\n" in told
    assert told.endswith(f"get it some other way and put it at {tmp_path / 'x.bin'}")
    assert left(tmp_path) == ["x.bin.part", "x.bin.part.from"]
    server.on("/x.bin", made.whole(DATA))
    assert fetch([File(url, sha256(DATA))], tmp_path, patience=QUICK)[0].path.read_bytes() == DATA
    assert server.seen["/x.bin"][-1].startswith("bytes=")


def test_a_part_that_is_whole_or_too_long(server, tmp_path):
    url = server.on("/x.bin", made.whole(DATA))
    for size, length in ((0, len(DATA)), (len(DATA), len(DATA)), (0, len(DATA) + 5), (len(DATA), len(DATA) + 5)):
        (tmp_path / "x.bin").unlink(missing_ok=True)
        (tmp_path / "x.bin.part").write_bytes((DATA + b"12345")[:length])
        (found,) = fetch([File(url, sha256(DATA), size)], tmp_path, patience=QUICK)
        assert found.path.read_bytes() == DATA
        assert left(tmp_path) == ["x.bin"]


def test_a_part_of_a_file_that_has_changed(server, tmp_path):
    """Nothing is pinned, so the server has to say that it is still the same file."""
    url = server.on("/x.bin", made.broken(DATA, etag='"old"'), made.whole(OTHER, etag='"new"'))
    assert fetch([File(url)], tmp_path, patience=QUICK)[0].path.read_bytes() == OTHER
    url = server.on("/y.bin", made.broken(DATA), made.whole(OTHER))
    assert fetch([File(url)], tmp_path, patience=QUICK)[0].path.read_bytes() == OTHER
    assert server.seen["/y.bin"] == [None, None]


def test_without_ranges_it_starts_over(server, tmp_path):
    url = server.on("/x.bin", made.broken(DATA, ranges=False), made.whole(DATA, ranges=False))
    assert fetch([File(url, sha256(DATA))], tmp_path, patience=QUICK)[0].path.read_bytes() == DATA
    url = server.on("/y.bin", made.broken(DATA, ranges=False))
    assert "y.bin: the connection broke" in fault(File(url, sha256(DATA)), folder=tmp_path)
    assert len(server.seen["/y.bin"]) == 1 + QUICK.tries


def test_a_stalling_server(server, tmp_path):
    url = server.on("/x.bin", made.stalled(DATA, 30), made.whole(DATA))
    assert fetch([File(url, sha256(DATA))], tmp_path, patience=QUICK)[0].path.read_bytes() == DATA
    url = server.on("/y.bin", made.stalled(DATA, 30))
    assert "the server stopped sending" in fault(File(url), folder=tmp_path)


@pytest.mark.parametrize("code", [404, 403, 503, 500, 429])
def test_a_server_that_recovers(server, tmp_path, code):
    url = server.on("/x.bin", made.status(code), made.whole(DATA))
    patience = Patience(tries=3, rounds=2, first=0.01, longest=0.02)
    assert fetch([File(url, sha256(DATA))], tmp_path, patience=patience)[0].path.read_bytes() == DATA


def test_it_waits_ever_longer_or_as_long_as_the_server_asks(server, tmp_path):
    class Clock(threading.Event):
        waits: ClassVar[list[float]] = []

        def wait(self, timeout=None):
            self.waits.append(timeout)
            return False

    url = server.on("/x.bin", made.status(503, Retry_After="7"), made.status(503), made.status(503), made.whole(DATA))
    patience = Patience(tries=4, first=2, longest=6)
    Resuming(tmp_path / "x.part", size=0, pinned=True, patience=patience, stop=Clock())(url, tmp_path / "x.bin")
    assert Clock.waits == [6, 4, 6]
    assert (tmp_path / "x.bin").read_bytes() == DATA


def test_redirects(server, tmp_path):
    there = server.on("/real", made.broken(DATA), made.whole(DATA))
    url = server.on("/x.bin", made.status(302, Location=there))
    assert fetch([File(url, sha256(DATA))], tmp_path, patience=QUICK)[0].path.read_bytes() == DATA
    assert server.seen["/real"][1].startswith("bytes=")
    round_about = server.on("/loop", made.status(302, Location="/loop"))
    assert "Exceeded 30 redirects" in fault(File(round_about), folder=tmp_path)


def test_mirrors_in_their_order(server, tmp_path):
    """A wrong checksum removes the file; then nothing of it is left for the next address."""
    gone, wrong = server.on("/x.bin", made.status(404)), server.on("/wrong", made.whole(OTHER))
    right, unused = server.on("/right", made.whole(DATA)), server.on("/unused", made.whole(DATA))
    mirrors = ("http://127.0.0.1:9/x", wrong, right, unused)
    (found,) = fetch([File(gone, sha256(DATA), mirrors=mirrors)], tmp_path, patience=QUICK)
    assert found.path.read_bytes() == DATA
    assert {path: ranges for path, ranges in server.seen.items() if path != "/x.bin"} == {
        "/wrong": [None],
        "/right": [None],
    }


def test_a_mirror_continues_what_another_began(server, tmp_path):
    url = server.on("/x.bin", made.broken(DATA), made.status(404))
    mirror = server.on("/mirror", made.whole(DATA))
    (found,) = fetch([File(url, sha256(DATA), mirrors=(mirror,))], tmp_path, patience=QUICK)
    assert found.path.read_bytes() == DATA
    assert server.seen["/mirror"][0].startswith("bytes=")


def test_all_addresses_fail(server, tmp_path):
    wrong, gone = server.on("/x.bin", made.whole(OTHER)), server.on("/gone", made.status(410))
    told = fault(File(wrong, md5(DATA), mirrors=(gone, "http://127.0.0.1:9/x")), folder=tmp_path)
    assert f"{wrong}: gives another file: its checksum is not {md5(DATA)}" in told
    assert f"{gone}: 410 Gone" in told
    assert "http://127.0.0.1:9/x: connection refused" in told
    assert left(tmp_path) == []


def test_truncated_without_a_length(server, tmp_path):
    for name, file in (("x", {"bytes": len(DATA)}), ("y", {"checksum": sha256(DATA)})):
        url = server.on(f"/{name}.bin", made.unmeasured(DATA[:1000]), made.whole(DATA))
        patience = Patience(tries=2, rounds=2, first=0.01, longest=0.02)
        assert fetch([File(url, **file)], tmp_path, patience=patience)[0].path.read_bytes() == DATA


def test_more_than_there_should_be(server, tmp_path):
    url = server.on("/x.bin", made.unmeasured(DATA + b"more"))
    assert "sent more than 600,000 bytes" in fault(File(url, bytes=len(DATA)), folder=tmp_path)
    assert left(tmp_path) == []


def test_another_part_than_was_asked_for(server, tmp_path):
    (tmp_path / "x.bin.part").write_bytes(DATA[:1000])
    url = server.on("/x.bin", made.from_the_start(DATA), made.whole(DATA))
    assert fetch([File(url, sha256(DATA))], tmp_path, patience=QUICK)[0].path.read_bytes() == DATA
    assert server.seen["/x.bin"] == ["bytes=1000-", None]


def test_a_size_that_is_not_the_expected_one(server, tmp_path):
    url = server.on("/x.bin", made.whole(DATA))
    assert "offers 600,000 bytes, expected 7" in fault(File(url, sha256(DATA), 7), folder=tmp_path)


def test_a_web_page_in_place_of_a_file(server, tmp_path):
    url = server.on("/x.zip", made.whole(b"<html>Log in</html>", kind="text/html; charset=utf-8"))
    assert "sends a web page in place of the file" in fault(File(url), folder=tmp_path)


def test_several_at_once(server, tmp_path):
    """Each of three answers waits for the other two."""
    together = threading.Barrier(3)
    files = [File(server.on(f"/{i}.bin", made.slow(DATA[i:], together)), sha256(DATA[i:])) for i in range(3)]
    files += [File(server.on("/3.bin", made.whole(OTHER)), sha256(OTHER))]
    found = fetch(files, tmp_path, at_once=3, patience=Patience(silence=30))
    assert [each.path.name for each in found] == ["0.bin", "1.bin", "2.bin", "3.bin"]
    assert [each.path.read_bytes() for each in found] == [DATA, DATA[1:], DATA[2:], OTHER]


def test_two_runs_at_once_fetch_a_file_once(server, tmp_path):
    file = File(server.on("/x.bin", made.whole(DATA)), sha256(DATA))
    runs = [threading.Thread(target=fetch, args=([file], tmp_path)) for _ in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(server.seen["/x.bin"]) == 1


def test_all_faults_are_told_together_and_what_came_stays(server, tmp_path):
    good = File(server.on("/good.bin", made.whole(DATA)), sha256(DATA))
    bad = [File(server.on(f"/{name}.bin", made.status(404))) for name in ("one", "two")]
    told = fault(bad[0], good, bad[1], folder=tmp_path)
    assert told.count("404") == 2
    assert told.index("one.bin") < told.index("two.bin")
    assert left(tmp_path) == ["good.bin"]


def test_offline(server, tmp_path):
    url = server.on("/x.bin", made.whole(DATA))
    files = [File(url, sha256(DATA)), File(server.on("/y.bin", made.whole(OTHER)), bytes=len(OTHER))]
    told = fault(*files, folder=tmp_path, offline=True)
    for name, file in (("x.bin", files[0]), ("y.bin", files[1])):
        assert f"{tmp_path / name}: no such file, and fetch.offline is set; put there what {file.url} gives" in told
    (tmp_path / "x.bin").write_bytes(OTHER)
    (tmp_path / "y.bin").write_bytes(b"half")
    told = fault(*files, folder=tmp_path, offline=True)
    assert f"x.bin: is not what {url} gives ({sha256(DATA)}); replace it" in told
    assert "y.bin: is not what" in told
    assert "(600,000 bytes); replace it" in told
    (tmp_path / "x.bin").write_bytes(DATA)
    (tmp_path / "y.bin").write_bytes(OTHER)
    assert [each.checksum for each in fetch(files, tmp_path, offline=True)] == [sha256(DATA), sha256(OTHER)]
    assert not server.seen


def test_a_wrong_file_is_fetched_again(server, tmp_path, capsys):
    for name, file in (("x", {"checksum": sha256(DATA)}), ("y", {"bytes": len(DATA)})):
        (tmp_path / f"{name}.bin").write_bytes(OTHER + b"more")
        url = server.on(f"/{name}.bin", made.whole(DATA))
        assert fetch([File(url, **file)], tmp_path, patience=QUICK)[0].path.read_bytes() == DATA
        assert f"{name}.bin: is not what {url} gives" in capsys.readouterr().err


def test_a_wrong_file_stays_until_the_right_one_is_there(server, tmp_path):
    (tmp_path / "x.bin").write_bytes(OTHER)
    fault(File(server.on("/x.bin", made.status(404)), sha256(DATA)), folder=tmp_path)
    assert (tmp_path / "x.bin").read_bytes() == OTHER


def test_no_room(server, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    url = server.on("/x.bin", made.whole(DATA))
    told = fault(File(url, sha256(DATA), len(DATA)), folder=tmp_path)
    assert "600,000 bytes are to be downloaded, and 1,000 are free; make room" in told
    assert not server.seen
    assert "600,000 more bytes are to come, and 1,000 are free" in fault(File(url), folder=tmp_path)


def test_a_stop_ends_it_and_leaves_the_part(server, tmp_path, monkeypatch):
    url = server.on("/x.bin", made.stalled(DATA, 30))

    def interrupted(jobs):
        while not (tmp_path / "x.bin.part").is_file():
            assert not any(job.done() for job in jobs)
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch([File(url, sha256(DATA))], tmp_path, patience=QUICK)
    assert len(server.seen["/x.bin"]) == 1
    assert "x.bin.part" in left(tmp_path)


def test_without_a_network(tmp_path):
    told = fault(File("http://nowhere.invalid/x.bin"), folder=tmp_path)
    assert "http://nowhere.invalid/x.bin: the host is not found; is there a network?" in told
    assert told.endswith(f"put it at {tmp_path / 'x.bin'}")


def test_names_are_unique(tmp_path):
    with pytest.raises(ValueError, match=r"several files are called x\.bin"):
        fetch([File("http://a/x.bin"), File("http://b/x.bin")], tmp_path)
