"""The stages download, fetch and prepare on data sets that come from a server, and on captions."""

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kith.data import resuming
from kith.data.source import File, Recipe
from kith.data.sources import SOURCES
from kith.errors import KithError
from stages import download, fetch, params, prepare
from tests import made_arrays, made_captions, made_classes, made_server
from tests.made_params import write_params
from tests.stages.test_prepare import OUT, RAW, REST, check_contract

ROOT = Path(__file__).resolve().parents[2]
FLICKR = "research and education; made up"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.setattr(resuming.Patience, "delay", lambda *_: 0.01)
    with made_server.serving() as server:
        yield server


def settle(preparing: dict | None = None, **fetching) -> None:
    image = {"image": {"size": 8, "mode": "RGB"}}
    content = {**REST, "fetch": fetching, "prepare": image | (preparing or {})}
    write_params(content)


def run() -> tuple[dict, dict]:
    """What source.json and dataset.json say."""
    fetch.main(out=RAW)
    prepare.main(raw=RAW, out=OUT)
    return json.loads((RAW / "source.json").read_text()), json.loads((OUT / "dataset.json").read_text())


def offered(server, path: Path, pinned: bool = True) -> File:
    data = path.read_bytes()
    # The connection breaks once.
    url = server.on(f"/{path.name}", made_server.broken(data), made_server.whole(data))
    return File(url, f"sha256:{hashlib.sha256(data).hexdigest()}" if pinned else "", len(data) if pinned else 0)


@pytest.fixture
def flickr(server, monkeypatch) -> None:
    """A server with Flickr8k's two archives, one of them not pinned, packed as the real ones are."""
    made_captions.flickr8k(Path("packed/photos"))
    Path("packed/texts").mkdir()
    for file in Path("packed/photos").glob("*.txt"):
        file.rename(Path("packed/texts") / file.name)
    names = {"photos": "Flickr8k_Dataset", "texts": "Flickr8k_text"}
    for folder, name in names.items():
        made_captions.write(Path("packed") / folder / "__MACOSX" / "._x", "junk")
        shutil.make_archive(f"packed/{name}", "zip", f"packed/{folder}")
    files = tuple(offered(server, Path(f"packed/{name}.zip"), name.endswith("set")) for name in names.values())
    told = replace(SOURCES["flickr8k"], recipe=Recipe(FLICKR, "http://home", files))
    monkeypatch.setitem(SOURCES, "flickr8k", told)


def test_flickr8k_from_its_archives(flickr, server, capsys):
    settle(source="flickr8k", path="sets/flickr8k", download=True)
    source, dataset = run()
    check_contract(dataset)
    assert dataset["counts"] == {"train": 4, "val": 2, "test": 2}
    assert dataset["texts"] == 40
    assert (dataset["name"], dataset["source"], dataset["licence"]) == ("flickr8k", "flickr8k", FLICKR)
    assert source["left_out"] == {"pictures in no split": 1}
    assert source["home"] == "http://home"
    assert [(each["name"], each["pinned"]) for each in source["downloaded"]] == [
        ("Flickr8k_Dataset.zip", True),
        ("Flickr8k_text.zip", False),
    ]
    digest = hashlib.sha256(Path("packed/Flickr8k_text.zip").read_bytes()).hexdigest()
    assert source["downloaded"][1]["checksum"] == f"sha256:{digest}"
    said = capsys.readouterr().err
    assert f"sha256:{digest} (not pinned: no checksum of it is known to Kith)" in said
    assert f"sets/flickr8k: the data set flickr8k; terms: {FLICKR}" in said
    assert "fetch: left out: 1 pictures in no split" in said
    assert os.listdir("sets") == ["flickr8k"]
    before = {path: len(seen) for path, seen in server.seen.items()}
    assert run() == (source, dataset)
    assert {path: len(seen) for path, seen in server.seen.items()} == before


def test_downloaded_before_dvc_or_snakemake_run(flickr):
    settle(source="flickr8k", path="sets/flickr8k", download=True, downloads="kept", licence="mine")
    download.main()
    assert Path("sets/flickr8k/Flickr8k.token.txt").is_file()
    assert sorted(os.listdir("kept")) == ["flickr8k", "flickr8k.json"]
    assert not RAW.exists()
    source, _ = run()
    assert source["licence"] == "mine"
    assert len(source["downloaded"]) == 2


def test_offline_from_files_that_the_user_has_brought(flickr, server):
    settle(source="flickr8k", path="sets/flickr8k", download=True, offline=True)
    with pytest.raises(KithError) as caught:
        fetch.main(out=RAW)
    target = "data/downloads/flickr8k/Flickr8k_Dataset.zip: no such file, and fetch.offline is set; put there what http"
    assert target in str(caught.value)
    assert not RAW.exists()
    for name in ("Flickr8k_Dataset.zip", "Flickr8k_text.zip"):
        shutil.copy(f"packed/{name}", "data/downloads/flickr8k")
    assert run()[1]["counts"]["train"] == 4
    assert not server.seen


def test_nothing_is_downloaded_unasked(flickr, server):
    settle(source="flickr8k", path="sets/flickr8k")
    with pytest.raises(KithError) as caught:
        fetch.main(out=RAW)
    assert str(caught.value).startswith("sets/flickr8k: no such file or folder; mend fetch.path, or set fetch.download")
    assert f"terms: {FLICKR}" in str(caught.value)
    assert not server.seen


def test_a_data_set_that_is_there_is_not_downloaded(flickr, server):
    shutil.copytree("packed/photos", "mine")
    shutil.copytree("packed/texts", "mine", dirs_exist_ok=True)
    settle(source="flickr8k", path="mine", download=True)
    source, dataset = run()
    assert "downloaded" not in source
    assert dataset["licence"] == FLICKR
    assert not server.seen


def test_cifar_as_the_archive_itself(server, monkeypatch):
    made_classes.cifar100(Path("cifar-100-python.tar.gz"))
    file = offered(server, Path("cifar-100-python.tar.gz"))
    told = replace(SOURCES["cifar100"], recipe=Recipe("none", "http://home", (file,)))
    monkeypatch.setitem(SOURCES, "cifar100", told)
    settle(source="cifar100", path="sets/c100.tar.gz", download=True)
    archive = run()[1]
    settle(source="cifar100", path="sets/c100", download=True)
    assert run()[1]["counts"] == archive["counts"]


@pytest.mark.parametrize("path", ["sets/audio.npz", "sets/audio"])
def test_arrays_as_the_file_itself_or_as_a_folder(server, monkeypatch, path):
    file = offered(server, made_arrays.audio_score(Path("audio_sheet_music.npz"), train=6, val=2, test=2), pinned=False)
    offer = Recipe("none", "http://home", (file,))
    monkeypatch.setitem(SOURCES, "audio_score", replace(SOURCES["audio_score"], recipe=offer))
    write_params({**REST, "fetch": {"source": "audio_score", "path": path, "download": True}, "prepare": {}})
    source, dataset = run()
    assert dataset["counts"] == {"train": 6, "val": 2, "test": 2}
    (told,) = source["downloaded"]
    assert not told["pinned"]
    assert told["checksum"] == f"sha256:{hashlib.sha256(Path('audio_sheet_music.npz').read_bytes()).hexdigest()}"


def test_where_the_server_is_gone_it_is_said_what_to_do(server, monkeypatch):
    gone = File(server.on("/iapr.npz", made_server.status(404)))
    offer = Recipe("none", "http://home", (gone,))
    monkeypatch.setitem(SOURCES, "iapr_tc12", replace(SOURCES["iapr_tc12"], recipe=offer))
    write_params({**REST, "fetch": {"source": "iapr_tc12", "path": "iapr.npz", "download": True}, "prepare": {}})
    with pytest.raises(KithError) as error:
        fetch.main(out=RAW)
    told = str(error.value)
    assert told.startswith("iapr.npz could not be downloaded:")
    assert gone.url in told
    assert told.endswith("get it some other way and put it at data/downloads/iapr_tc12/iapr.npz")
    assert not Path("iapr.npz").exists()


def test_data_sets_that_need_a_form(server):
    for source, told in (("ilsvrc", "register at image-net.org"), ("nab", "fill in the form"), ("cars", "no longer")):
        settle(source=source, path="nowhere", download=True)
        with pytest.raises(KithError, match=told):
            fetch.main(out=RAW)


def test_as_a_command_a_fault_is_one_message(server):
    settle(source="flickr30k", path="nowhere", download=True)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "stages.download"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: nowhere: no such file or folder, and flickr30k cannot be downloaded without")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("source", "make", "own", "counts"),
    [
        ("flickr8k", made_captions.flickr8k, {}, {"train": 4, "val": 2, "test": 2}),
        ("flickr30k", made_captions.flickr30k, {}, {"train": 8, "val": 1, "test": 1}),
        ("coco2014", lambda path: made_captions.coco(path, 2014), {"karpathy_split": False},
         {"train": 5, "val": 1, "test": 2}),
        ("coco2017", lambda path: made_captions.coco(path, 2017), {}, {"train": 5, "val": 1, "test": 2}),
        ("goodnews", made_captions.goodnews, {"text": "headline"}, {"train": 8, "val": 2, "test": 2}),
        ("conceptual_captions", made_captions.conceptual, {}, {"train": 8, "val": 1, "test": 3}),
    ],
)  # fmt: skip
def test_every_source_of_captions_meets_the_contract(source, make, own, counts):
    make(Path("mine"))
    settle(source=source, path="mine", **own)
    _, dataset = run()
    check_contract(dataset)
    assert dataset["counts"] == counts
    assert dataset["name"] == source


def test_politics_meets_the_contract():
    made_captions.politics(Path("mine"))
    settle(source="politics", path="mine")
    _, dataset = run()
    check_contract(dataset)
    assert sum(dataset["counts"].values()) == 16
    assert dataset["labels"] == 2


def karpathys_coco(path: Path) -> None:
    made_captions.coco(path, 2014)
    made_captions.coco_karpathy(path)


def politics_with_a_split(path: Path) -> None:
    """Of sixteen articles twelve are long enough; eleven of them are in a split."""
    made_captions.politics(path)
    made_captions.edit_json(path / "complete_db.json", _longer)
    folders = [f"{side}/{issue}" for side in ("left", "right") for issue in ("taxes", "climate")]
    names = [f"{folder}/{i}.jpg" for folder in folders for i in range(4)]
    split = {"train": [f"./{name}" for name in names[:12]], "test": names[12:15]}
    (path / "train_test_paths.pickle").write_bytes(pickle.dumps(split, protocol=2))


def _longer(content: dict) -> None:
    for item in (each for side in content.values() for items in side.values() for each in items):
        if "/0.jpg" not in item["local_path"]:
            item["content_text"] += " So it is." * 50


@pytest.mark.parametrize(
    ("study", "make", "counts"),
    [
        ("politics", politics_with_a_split, {"train": 6, "val": 3, "test": 2}),
        ("goodnews", made_captions.goodnews, {"train": 8, "val": 2, "test": 2}),
        ("coco", karpathys_coco, {"train": 7, "val": 1, "test": 1}),
    ],
)
def test_studies_of_captions_read_their_official_layout(study, make, counts):
    """All but the size of pictures is as the study says."""
    content = params.parse((ROOT / "studies" / f"{study}.yaml").read_text(encoding="utf-8"))
    make(Path(content["fetch"]["path"]))
    content["prepare"]["image"] |= {"size": 8, "store_size": 8}
    write_params(content)
    _, dataset = run()
    assert dataset["counts"] == counts


def test_pictures_elsewhere_are_pinned_too():
    made_captions.flickr8k(Path("mine"))
    Path("mine/Flicker8k_Dataset").rename("photos")
    settle(source="flickr8k", path="mine", image_root="photos", splits={"test": "test_old"})
    source, dataset = run()
    assert source["image_root"]["path"] == "photos"
    assert dataset["counts"]["test_old"] == 2
    made_captions.picture(Path("photos/new.jpg"), 1)
    with pytest.raises(KithError, match="photos: is not what the fetch stage saw; run the fetch stage again"):
        prepare.main(raw=RAW, out=OUT)
    Path("photos/new.jpg").unlink()
    prepare.main(raw=RAW, out=OUT)
    with Path("mine/Flickr8k.token.txt").open("a") as file:
        file.write("8_a.jpg#0\tOne more .\n")
    with pytest.raises(KithError, match="mine: is not what the fetch stage saw"):
        prepare.main(raw=RAW, out=OUT)


@pytest.mark.parametrize(
    ("fetching", "message"),
    [
        ({"source": "coco2014", "text": "article"}, "the source coco2014 does not take text"),
        ({"source": "flickr8k", "columns": {}}, "the source flickr8k does not take columns"),
        ({"source": "image_folder", "download": True}, "the source image_folder does not take download"),
        ({"source": "cub", "image_root": "x"}, "the source cub does not take image_root"),
        ({"source": "goodnews", "text": "body"}, "fetch.text: Input should be 'caption', 'article' or 'headline'"),
    ],
)
def test_what_sources_take(fetching, message):
    with pytest.raises(KithError) as caught:
        settle(path="x", **fetching)
    assert message in str(caught.value)


def test_every_recipe_is_of_a_source():
    for source in (name for name, each in SOURCES.items() if each.recipe):
        params.Fetch(source=source, path="x", download=True, offline=True, downloads="y")
