"""The store of photographs as it is read: arrays of pictures, proofs, and the same tensors as from an array."""

import json
import os
import resource
import shutil
from contextlib import chdir
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kith.data.images import decode, decode_part
from kith.data.photos import PhotoWriter
from kith.data.shards import INDEX
from kith.errors import KithError
from kith.search.shown import ShownItems
from kith.store.inputs import PhotoInput, image_input
from kith.store.photos import Photos, pictures
from kith.store.prepared import Prepared
from stages import fetch, prepare
from stages.reporting.examples import Appearances
from tests.made_params import write_params
from tests.made_photos import encode, jpeg, open_bytes, photograph

PNGS = [encode(photograph(16, 16, seed), "PNG") for seed in range(8)]
JPEGS = [jpeg(60 + 10 * seed, 50, seed) for seed in range(8)]


def stage(folder: Path, images: list[bytes], *, seed: int = 0, **options) -> Prepared:
    """Prepare a table of pictures, each twice, of which the last ones are for validation."""
    folder.mkdir(exist_ok=True)
    n = len(images)
    table = {"id": [f"i{i}" for i in range(2 * n)], "image": images * 2, "text": [f"word{i % n}" for i in range(2 * n)]}
    table["split"] = ["train"] * (2 * n - 4) + ["val"] * 4
    with chdir(folder):
        pd.DataFrame(table).to_parquet("table.parquet")
        columns = {"id": "id", "image": "image", "texts": ["text"], "split": "split"}
        fetching = {"source": "table", "path": "table.parquet", "columns": columns}
        preparing = {"image": {"size": 16, **options}, "seed": seed}
        study = {"study": {"name": "photos", "methods": ["infonce"]}, "fetch": fetching, "prepare": preparing}
        write_params({**study, "train": {"epochs": 1}, "methods": {"infonce": {}}})
        fetch.main(out=Path("raw"))
        prepare.main(raw=Path("raw"), out=Path("prepared"))
    return Prepared(folder / "prepared")


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """Prepared photographs in two shards."""
    folder = tmp_path_factory.mktemp("photos") / "kept"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PhotoWriter.__init__, "__defaults__", (5000, *PhotoWriter.__init__.__defaults__[1:]))
        data = stage(folder, JPEGS, store="photos", store_size=64)
    assert len(list(data.folder.glob("*.arrow"))) > 1
    return data.folder


@pytest.fixture
def copy(kept, tmp_path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "copy"))


def all_of(data: Prepared) -> np.ndarray:
    images = image_input(data)
    rows, _ = images.all_of(np.arange(len(data)))
    return images.take(rows)[0].numpy()


@pytest.mark.parametrize("images", [PNGS, JPEGS, PNGS[:4] + JPEGS[:4]], ids=["png", "jpeg", "both"])
@pytest.mark.parametrize("options", [{}, {"mode": "L", "fit": "crop"}, {"fit": "stretch"}])
def test_small_pictures_give_the_tensors_of_an_array(tmp_path, images, options):
    array = stage(tmp_path / "array", images, **options)
    photos = stage(tmp_path / "photos", images, store="photos", **options)
    assert isinstance(image_input(photos), PhotoInput)
    assert photos.images is None
    np.testing.assert_array_equal(all_of(photos), all_of(array))
    pd.testing.assert_frame_equal(photos.table, array.table)
    assert photos.dataset["store"] == {"kind": "photos", "short_side": 512, "moments_of": 12}
    same = ("name", "counts", "image", "mean", "std", "labels")
    assert [photos.dataset[key] for key in same] == [array.dataset[key] for key in same]
    assert "store" not in array.dataset


def test_an_array_is_chosen_unless_it_were_large(tmp_path, monkeypatch, capsys):
    assert pictures(stage(tmp_path / "small", PNGS)).flags.owndata is False
    assert "kept as photographs" not in capsys.readouterr().err
    monkeypatch.setattr(prepare, "LARGEST", 16 * 16 * 16 * 3 - 1)
    assert isinstance(pictures(stage(tmp_path / "large", PNGS, store_size=8)), Photos)
    told = "prepare: 16 pictures of 16×16 pixels would be an array of 0.0 GB; they are kept as photographs, the shorter"
    assert capsys.readouterr().err.startswith(told)
    assert isinstance(pictures(stage(tmp_path / "asked", PNGS, store="array")), np.ndarray)


def test_texts_alone_make_no_array_however_many(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(prepare, "LARGEST", 0)
    with chdir(tmp_path):
        pd.DataFrame({"text": ["one", "two"], "split": ["train", "val"]}).to_parquet("table.parquet")
        columns = {"image": None, "texts": ["text"], "split": "split"}
        fetching = {"source": "table", "path": "table.parquet", "columns": columns}
        study = {"study": {"name": "texts", "methods": ["infonce"]}, "fetch": fetching, "prepare": {}}
        write_params({**study, "train": {"epochs": 1}, "methods": {"infonce": {}}})
        fetch.main(out=Path("raw"))
        prepare.main(raw=Path("raw"), out=Path("prepared"))
    assert (tmp_path / "prepared/images.npy").exists()
    assert "array" not in capsys.readouterr().err


def test_the_moments_of_many_are_of_a_drawn_sample(tmp_path, monkeypatch):
    monkeypatch.setattr(prepare, "SAMPLE", 5)
    data, again = (stage(tmp_path / name, PNGS, store="photos") for name in "ab")
    other = stage(tmp_path / "c", PNGS, store="photos", seed=1)
    assert data.dataset["store"]["moments_of"] == 5
    assert data.dataset["mean"] == again.dataset["mean"] != other.dataset["mean"]


def test_an_array_takes_the_place_of_photographs_and_they_of_it(tmp_path):
    stage(tmp_path / "a", PNGS, store="photos")
    with chdir(tmp_path / "a"):
        shutil.rmtree("raw")
        study = Path("params.yaml").read_text()
        for store, files in (("array", ["images.npy"]), ("photos", ["images-00000.arrow", INDEX])):
            Path("params.yaml").write_text(study.replace("store: photos", f"store: {store}"))
            fetch.main(out=Path("raw"))
            prepare.main(raw=Path("raw"), out=Path("prepared"))
            assert sorted(path.name for path in Path("prepared").glob("images*")) == files


def test_a_prepare_that_fails_leaves_the_photographs_that_were_there(copy, tmp_path, monkeypatch):
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    appended = []

    def cut_off(writer, picture):
        appended.append(picture)
        if len(appended) == 12:
            raise KeyboardInterrupt
        return append(writer, picture)

    append = PhotoWriter.append
    monkeypatch.setattr(PhotoWriter, "append", cut_off)
    (tmp_path / "again").mkdir()
    shutil.move(copy, tmp_path / "again/prepared")
    with pytest.raises(KeyboardInterrupt):
        stage(tmp_path / "again", JPEGS, store="photos")
    assert {path.name: path.read_bytes() for path in (tmp_path / "again/prepared").iterdir()} == before
    assert not list((tmp_path / "again").glob(".prepared*"))


def test_read_like_an_array(kept):
    photos = pictures(Prepared(kept))
    assert (len(photos), photos.shape) == (8, (8, 16, 16, 3))
    whole = photos[:]
    np.testing.assert_array_equal(whole, [decode(data, 16) for data in JPEGS])
    np.testing.assert_array_equal(photos[3], whole[3])
    np.testing.assert_array_equal(photos[np.array([7, 0, 7])], whole[[7, 0, 7]])
    assert photos[np.array([], dtype=int)].shape == (0, 16, 16, 3)
    assert [photos.encoded(row) for row in range(8)] == JPEGS


@pytest.mark.parametrize("workers", [0, 1, 2, 7])
def test_threads_change_nothing(kept, workers):
    photos = pictures(Prepared(kept))
    np.testing.assert_array_equal(photos.take(np.arange(8), workers), [decode(data, 16) for data in JPEGS])

    def part(place, width, height):
        return (place, 0, width, height - place)

    parts = photos.parts(np.array([5, 2]), 4, part, workers)
    expected = [decode_part(JPEGS[row], 4, partial(part, place)) for place, row in enumerate((5, 2))]
    np.testing.assert_array_equal(parts, expected)


def test_more_shards_than_a_process_may_open(tmp_path):
    with PhotoWriter(tmp_path, 8, "RGB", 8, shard=1) as writer:
        for number in range(60):
            writer.append(np.full((8, 8, 3), number, dtype=np.uint8))
    photos = Photos(tmp_path, np.load(tmp_path / INDEX), 8)
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 20, hard))
    try:
        assert photos[np.arange(60)][:, 0, 0, 0].tolist() == list(range(60))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


def test_a_changed_byte_is_seen_when_its_picture_is_read(copy):
    photos = pictures(Prepared(copy))
    place = photos.index[6]
    path = copy / f"images-{place['shard']:05}.arrow"
    content = bytearray(path.read_bytes())
    content[place["offset"] + 100] ^= 1
    path.write_bytes(content)
    photos = pictures(Prepared(copy))
    np.testing.assert_array_equal(photos[5], decode(JPEGS[5], 16))
    for reads in (lambda: photos[6], lambda: photos[:], lambda: photos.encoded(6)):
        with pytest.raises(KithError, match=rf"{path.name}: picture 6 is not the one that was stored; run the prepare"):
            reads()


def test_shards_that_changed_places_or_are_cut_are_seen(copy):
    first, second = sorted(copy.glob("*.arrow"))[:2]
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    with pytest.raises(KithError, match="is not the one that was stored"):
        pictures(Prepared(copy))[0]
    first.write_bytes(content[:200])
    with pytest.raises(KithError, match="is not the one that was stored"):
        pictures(Prepared(copy))[0]
    first.unlink()
    with pytest.raises(KithError, match=r"images-00000.arrow: no such file; run the prepare stage again"):
        pictures(Prepared(copy))[0]


def test_another_index_is_refused(copy):
    np.save(copy / INDEX, np.load(copy / INDEX)[::-1])
    with pytest.raises(KithError, match=rf"{INDEX}: is not the file that dataset.json describes"):
        image_input(Prepared(copy))


def test_checksums_of_shards_are_in_the_description(kept):
    noted = json.loads((kept / "dataset.json").read_text())["checksums"]
    assert set(noted) == {path.name for path in kept.iterdir()} - {"dataset.json"}


def test_pages_and_figures_show_photographs(kept):
    data = Prepared(kept)
    shown = ShownItems(data)
    assert shown.has_picture(3)
    assert not shown.grey
    assert shown.picture(11) == JPEGS[3]
    assert open_bytes(shown.picture(0)).size == (60, 50)
    np.testing.assert_array_equal(Appearances(data).image(9), decode(JPEGS[1], 16))
