"""The table source: formats, columns, splits, labels, taxonomy, and everything that may be wrong with a table."""

import gzip
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kith.data import edges, readers, splits, table
from kith.data.items import ITEMS
from kith.data.labels import numbered, read_names
from kith.data.rows import Columns
from kith.data.store import ImageWriter
from kith.errors import KithError
from kith.taxonomy import Taxonomy

SIZE = 8


def picture(level: int) -> np.ndarray:
    return np.full((SIZE, SIZE, 1), level, np.uint8)


def png(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture(level)[..., 0]).save(buffer, "PNG")
    return buffer.getvalue()


def rows(n: int = 6) -> list[dict]:
    """A table without faults."""
    names = ["train"] * (n - 2) + ["val", "test"]
    return [{"key": f"k{i}", "image": png(i), "text": f" Text {i}. ", "part": names[i]} for i in range(n)]


ALL = Columns(id="key", split="part")


def write(path: Path, records: list[dict]) -> Path:
    """In the format of the suffix; pictures beside the table where it cannot hold bytes."""
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path, row_group_size=4)
        return path
    records = [dict(record) for record in records]
    for record in records:
        if isinstance(record.get("image"), bytes):
            (path.parent / f"{record['key']}.png").write_bytes(record["image"])
            record["image"] = f"{record['key']}.png"
    if path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(record) for record in records) + "\n\n", encoding="utf-8")
    else:
        pd.DataFrame(records).to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return path


def build(path: Path, columns: Columns = ALL, **options):
    with ImageWriter(path.parent / "images.npy", SIZE, "L") as pictures:
        dataset = table.build(path, columns, pictures, **options)
    return dataset, np.load(path.parent / "images.npy")


def fault(path: Path, columns: Columns = ALL, **options) -> str:
    with pytest.raises(KithError) as caught:
        build(path, columns, **options)
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".tsv", ".jsonl", ".CSV"])
def test_every_format_gives_the_same_items(tmp_path, suffix):
    records = rows()
    records[1]["text"] = 'Two lines,\n"quoted", žluťoučký  kůň\t!'
    path = write(tmp_path / f"table{suffix.lower()}", records).rename(tmp_path / f"table{suffix}")
    dataset, images = build(path)
    frame = dataset.items.to_pandas()
    assert dataset.items.schema.equals(ITEMS)
    assert frame["id"].tolist() == [f"k{i}" for i in range(6)]
    assert frame["split"].tolist() == ["train"] * 4 + ["val", "test"]
    assert frame["texts"].map(list).tolist()[:2] == [["Text 0."], [records[1]["text"]]]
    assert frame["group"].tolist() == frame["id"].tolist()
    assert (frame["label"] == -1).all()
    np.testing.assert_array_equal(images[frame["image_row"]], [picture(i) for i in range(6)])


def test_order_is_kept_over_many_batches(tmp_path):
    path = write(tmp_path / "t.parquet", rows(3 * readers.ROWS + 5))
    dataset, images = build(path)
    expected = [picture(i)[0, 0, 0] for i in range(3 * readers.ROWS + 5)]
    assert images[dataset.items["image_row"].to_numpy(), 0, 0, 0].tolist() == expected


def test_several_texts_from_columns_and_lists(tmp_path):
    records = rows()
    for i, record in enumerate(records):
        record["more"] = [f"a{i} ", f"b{i}"]
    path = write(tmp_path / "t.parquet", records)
    dataset, _ = build(path, Columns(id="key", split="part", texts=["more", "text"]))
    assert dataset.items["texts"].to_pylist()[2] == ["a2", "b2", "Text 2."]


def test_pictures_only_and_texts_only(tmp_path):
    path = write(tmp_path / "t.parquet", rows())
    without_texts, images = build(path, Columns(id="key", split="part", texts=[]))
    assert without_texts.items["texts"].to_pylist() == [[]] * 6
    assert len(images) == 6
    without_pictures, images = build(path, Columns(id="key", split="part", image=None))
    assert without_pictures.items["image_row"].to_pylist() == [-1] * 6
    assert images.shape == (0, SIZE, SIZE, 1)
    assert "neither image nor texts" in fault(path, Columns(image=None, texts=[]))


def test_struct_images_and_image_root(tmp_path):
    records = rows()
    (tmp_path / "pictures").mkdir()
    for i, record in enumerate(records):
        (tmp_path / "pictures" / f"{i}.png").write_bytes(record["image"])
        record["image"] = {"bytes": record["image"] if i % 2 else None, "path": f"{i}.png"}
    _, images = build(write(tmp_path / "t.parquet", records), image_root=tmp_path / "pictures")
    np.testing.assert_array_equal(images, [picture(i) for i in range(6)])


def test_without_id_the_row_number_is_the_id_even_where_rows_are_ignored(tmp_path):
    records = rows()
    records[1]["part"] = "unused"
    dataset, _ = build(write(tmp_path / "t.parquet", records), Columns(split="part"), splits={"unused": "ignore"})
    assert dataset.items["id"].to_pylist() == ["0", "2", "3", "4", "5"]


def test_splits_are_mapped(tmp_path):
    records = rows()
    for record, part in zip(records, ["a", "a", "dev", "b", "test_hard", "train"], strict=True):
        record["part"] = part
    dataset, _ = build(write(tmp_path / "t.csv", records), splits={"a": "train", "dev": "val", "b": "test"})
    assert dataset.items["split"].to_pylist() == ["train", "train", "val", "test", "test_hard", "train"]
    assert "'a' is mapped to 'tain'" in fault(tmp_path / "t.csv", splits={"a": "tain"})


def test_random_split_keeps_groups_whole_and_follows_the_seed(tmp_path):
    records = [{**record, "thing": f"g{i % 10}"} for i, record in enumerate(rows(40))]
    path, columns = write(tmp_path / "t.parquet", records), Columns(id="key", group="thing")
    options = {"val": 0.2, "test": 0.1}
    frame = build(path, columns, **options, seed=3)[0].items.to_pandas()
    assert frame.groupby("group")["split"].nunique().max() == 1
    assert set(frame["split"]) == {"train", "val", "test"}
    again, other = (build(path, columns, **options, seed=seed)[0].items.to_pandas() for seed in (3, 4))
    assert frame.equals(again)
    assert frame["split"].tolist() != other["split"].tolist()


@pytest.mark.parametrize("columns", [{"label": "kind"}, {"group": "thing"}, {}])
def test_a_split_column_without_val_leaves_it_to_a_share_of_train(tmp_path, columns):
    records = [{**record, "kind": f"c{i % 3}", "thing": f"g{i // 2}"} for i, record in enumerate(rows(32))]
    for i, record in enumerate(records):
        record["part"] = "train" if i < 30 else "test"
    path = write(tmp_path / "t.parquet", records)
    columns = Columns(id="key", split="part", **columns)
    frame = build(path, columns, val=0.2)[0].items.to_pandas()
    assert frame["split"].tolist()[30:] == ["test", "test"]
    assert 1 <= (frame["split"] == "val").sum() <= 15
    if columns.label:
        assert set(frame[frame["split"] == "val"]["label"]) == {0, 1, 2}
    if columns.group:
        assert frame.groupby("group")["split"].nunique().max() == 1
    assert "val" not in build(path, columns, val=0)[0].items["split"].to_pylist()


def test_splits_may_have_capitals(tmp_path):
    records = rows()
    for record, name in zip(records, ("Train", " TRAIN", "Val", "TEST", "Test_Hard", "train"), strict=True):
        record["part"] = name
    dataset, _ = build(write(tmp_path / "t.csv", records))
    assert dataset.items["split"].to_pylist() == ["train", "train", "val", "test", "test_hard", "train"]


@pytest.mark.parametrize("nothing", ["nan", "NaN", "None", "null", "NULL", "N/A", "<NA>", "NA", r"\N", "#REF!"])
def test_nothing_is_no_text_and_no_label(tmp_path, nothing):
    records = [{**record, "kind": "dog", "thing": f"t{i}"} for i, record in enumerate(rows())]
    records[2] |= {"text": nothing}
    path = tmp_path / "t.tsv"
    assert f"'{nothing}', which is no text" in fault(write(path, records))
    records[2] |= {"text": "a text", "kind": nothing, "thing": nothing}
    records[3] |= {"kind": nothing, "thing": nothing}
    frame = build(write(path, records), Columns(id="key", label="kind", group="thing", split="part"))[
        0
    ].items.to_pandas()
    assert frame["label_name"].tolist() == ["dog", "dog", "", "", "dog", "dog"]
    assert frame["group"].tolist()[2:4] == ["k2", "k3"]


def test_whole_numbers_with_a_point_are_whole_numbers(tmp_path):
    records = [{**record, "kind": f"{i + 3}.0", "key": f"{i}.0"} for i, record in enumerate(rows(12))]
    frame = build(write(tmp_path / "t.csv", records), Columns(id="key", label="kind", split="part"))[
        0
    ].items.to_pandas()
    assert frame["label"].tolist() == list(range(3, 15))
    assert frame["label_name"].tolist()[0] == "3"
    assert frame["id"].tolist() == frame["group"].tolist() == [str(i) for i in range(12)]
    records[0]["kind"] = "3.5"
    frame = build(write(tmp_path / "t.csv", records), Columns(id="key", label="kind", split="part"))[
        0
    ].items.to_pandas()
    assert frame["label_name"].tolist()[:2] == ["3.5", "4.0"]


def test_random_split_needs_groups(tmp_path):
    path = write(tmp_path / "t.parquet", [{**record, "thing": "one"} for record in rows()])
    assert "1 groups cannot be split" in fault(path, Columns(id="key", group="thing"))


def test_rows_of_one_picture_are_a_group_where_splits_are_drawn(tmp_path):
    records = [{"image": png(i // 3), "text": f"text {i}", "own": f"o{i}"} for i in range(60)]
    records.append({"image": png(99), "text": "alone", "own": "o60"})
    path = write(tmp_path / "t.parquet", records)
    frame = build(path, Columns(), val=0.2, test=0.2)[0].items.to_pandas()
    assert frame["group"].tolist() == [str(i - i % 3) for i in range(60)] + ["60"]
    assert (frame.groupby("image_row")["split"].nunique() == 1).all()
    assert frame["split"].nunique() == 3
    apart = build(path, Columns(group="own"), val=0.2, test=0.2)[0].items.to_pandas()
    assert (apart.groupby("image_row")["split"].nunique() > 1).any()
    assert apart["group"].tolist() == [f"o{i}" for i in range(61)]
    same = write(tmp_path / "same.parquet", [{"image": png(0), "text": f"text {i}"} for i in range(6)])
    told = fault(same, Columns())
    assert "1 groups cannot be split" in told
    assert told.endswith("rows of one picture are a group, unless fetch.columns.group says otherwise")


@given(
    groups=st.lists(st.integers(0, 30).map(str), min_size=1, max_size=100),
    val=st.floats(0, 0.4),
    test=st.floats(0, 0.4),
    seed=st.integers(0, 9),
)
def test_random_split_gives_the_shares_asked_for(groups, val, test, seed):
    n = len(set(groups))
    wanted = {name: max(1, round(share * n)) for name, share in (("val", val), ("test", test)) if share}
    if sum(wanted.values()) >= n:
        with pytest.raises(KithError):
            splits.random_split(groups, val, test, seed)
        return
    split_of = dict(zip(groups, splits.random_split(groups, val, test, seed), strict=True))
    assert set(split_of.values()) == {"train", *wanted}
    reverse = splits.random_split(groups[::-1], val, test, seed)[::-1]
    assert [split_of[group] for group in groups] == list(reverse)  # the order of rows plays no part


def test_rows_keep_their_split_when_others_come_or_go():
    groups = [f"g{i}" for i in range(6000)]
    before = dict(zip(groups, splits.random_split(groups, 0.1, 0.2, 3), strict=True))
    shares = {name: list(before.values()).count(name) / 6000 for name in ("val", "test")}
    assert shares == pytest.approx({"val": 0.1, "test": 0.2}, abs=0.02)
    more = [*(f"new{i}" for i in range(500)), *groups[50:]]
    after = dict(zip(more, splits.random_split(more, 0.1, 0.2, 3), strict=True))
    assert {group: after[group] for group in groups[50:]} == {group: before[group] for group in groups[50:]}
    # A larger share for val takes from train alone.
    larger = splits.random_split(groups, 0.3, 0.2, 3)
    assert [name == "test" for name in larger] == [name == "test" for name in before.values()]
    assert all(now == "val" for now, name in zip(larger, before.values(), strict=True) if name == "val")


@pytest.mark.parametrize(
    ("values", "labels", "names"),
    [
        (["b", "a", None, "b", ""], [1, 0, -1, 1, -1], ["b", "a", "", "b", ""]),
        ([3, None, 0, -1], [3, -1, 0, -1], ["3", "", "0", ""]),
        (["3", "", "0"], [3, -1, 0], ["3", "", "0"]),
        ([2.0, float("nan")], [2, -1], ["2", ""]),
        (["01", "1"], [0, 1], ["01", "1"]),
        (["1.5", "1"], [1, 0], ["1.5", "1"]),
        ([None, None], [-1, -1], ["", ""]),
        ([], [], []),
    ],
)
def test_labels(values, labels, names):
    found, called = numbered(values)
    assert found.dtype == np.int64
    assert found.tolist() == labels
    assert called == names


def test_labels_are_the_same_in_every_format(tmp_path):
    records = [{**record, "label": 10 - i} for i, record in enumerate(rows())]
    columns = Columns(id="key", split="part", label="label")
    found = [build(write(tmp_path / f"t{suffix}", records), columns)[0] for suffix in (".parquet", ".csv", ".jsonl")]
    assert found[0].items["label"].to_pylist() == [10, 9, 8, 7, 6, 5]
    assert found[0].items.equals(found[1].items)
    assert found[0].items.equals(found[2].items)


# Taxonomies


def test_taxonomy_with_a_head_and_without(tmp_path):
    (tmp_path / "a.csv").write_text("child,parent,name\ncat,animal,Cat\ndog,animal,\ncat,animal,Cat\n")
    (tmp_path / "b.tsv").write_text("parent\tchild\nanimal\tcat\n")
    (tmp_path / "c.txt").write_text("animal cat\nanimal   dog\n\n")
    expected = [("animal", "cat", "Cat"), ("animal", "dog", "dog")]
    assert [tuple(edge.values()) for edge in edges.read(tmp_path / "a.csv").to_pylist()] == expected
    assert edges.read(tmp_path / "b.tsv").to_pylist() == [{"parent": "animal", "child": "cat", "name": "cat"}]
    assert edges.read(tmp_path / "c.txt")["child"].to_pylist() == ["cat", "dog"]


def test_taxonomies_in_other_orders_with_longer_heads_with_names_and_compressed(tmp_path):
    def write_gz(name: str, text: str) -> None:
        (tmp_path / name).write_bytes(gzip.compress(text.encode()))

    write_gz("a.txt.gz", "cat animal\ndog animal\n")
    write_gz("b.tsv.gz", "parent_id\tchild_id\tparent_words\tchild_words\nanimal\tcat\tliving, moving\ta cat\n")
    write_gz("c.csv.gz", "parent,child\nanimal,cat\n")
    found = edges.read(tmp_path / "a.txt.gz", "child-parent", {"cat": "Cat"})
    assert [tuple(edge.values()) for edge in found.to_pylist()] == [("animal", "cat", "Cat"), ("animal", "dog", "dog")]
    wordy = edges.read(tmp_path / "b.tsv.gz", names={"cat": "not this"})
    assert wordy.to_pylist() == [{"parent": "animal", "child": "cat", "name": "a cat"}]
    assert edges.read(tmp_path / "c.csv.gz", names={"cat": "Cat"})["name"].to_pylist() == ["Cat"]
    (tmp_path / "d.txt.gz").write_bytes(b"plain")
    with pytest.raises(KithError, match=r"d\.txt\.gz: cannot be unpacked"):
        edges.read(tmp_path / "d.txt.gz")


def test_an_indented_taxonomy_has_the_names_of_the_classes_in_it(tmp_path):
    (tmp_path / "tree.txt").write_text("living thing\n\n-- animal\n---- red fox\n---- dog\n-- plant\n")
    by_name = [("living thing", "animal"), ("animal", "red fox"), ("animal", "dog"), ("living thing", "plant")]
    assert [(e["parent"], e["child"]) for e in edges.read(tmp_path / "tree.txt").to_pylist()] == by_name
    found = edges.read(tmp_path / "tree.txt", names={"7": "red fox", "3": "dog", "4": "plant"}).to_pylist()
    assert [tuple(e.values()) for e in found] == [
        ("8", "9", "animal"), ("9", "7", "red fox"), ("9", "3", "dog"), ("8", "4", "plant"),
    ]  # fmt: skip
    lettered = edges.read(tmp_path / "tree.txt", names={"x1": "red fox"})
    assert lettered["child"].to_pylist() == ["animal", "x1", "dog", "plant"]
    with pytest.raises(KithError, match=r"tree\.txt: has no line for the class 'cat'"):
        edges.read(tmp_path / "tree.txt", names={"1": "cat"})
    with pytest.raises(KithError, match=r"tree\.txt: is indented, .* leave fetch\.taxonomy_order out"):
        edges.read(tmp_path / "tree.txt", "child-parent")
    (tmp_path / "tree.txt").write_text("animal\n--- dog\n-- cat\n")
    with pytest.raises(KithError, match=r"tree\.txt: line 2: 'dog' has 3 dashes; use two a level"):
        edges.read(tmp_path / "tree.txt")


def test_the_published_indented_taxonomy_is_that_of_its_pairs():
    folder = Path(__file__).resolve().parents[3] / "shared" / "hierarchies" / "cifar"
    if not folder.is_dir():
        pytest.skip("without the hierarchies")
    names = read_names(folder / "class_names.txt")
    of_classes = {str(label): names[str(label)] for label in range(100)}

    def similar(table) -> np.ndarray:
        pairs = [(int(e["parent"]), int(e["child"])) for e in table.to_pylist()]
        return Taxonomy.from_edges(pairs).similarity(range(100))

    indented = edges.read(folder / "hierarchy.txt", names=of_classes)
    np.testing.assert_array_equal(similar(indented), similar(edges.read(folder / "cifar.parent-child.txt")))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "parent,child\na,\n", "line 2, column 'child': is empty"),
        ("a.csv", "parent,child\na,b\nb,b\n", "line 3, column 'child': 'b' is its own parent"),
        ("a.csv", "parent,kid\na,b\n", "no column 'child'; the columns are: parent, kid"),
        ("a.csv", "parent,child\n", "has no edges"),
        ("a.txt", "a b\n\na b c\n", "line 3: expected two ids"),
        ("a.txt", b"a \xff\n", "cannot be read as UTF-8"),
        ("b.txt", None, "no such file; mend fetch.taxonomy"),
    ],
)
def test_faults_of_a_taxonomy(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(KithError, match=f"{name}: {message}"):
        edges.read(tmp_path / name)


def test_labels_must_be_in_the_taxonomy(tmp_path):
    records = [{**record, "kind": "cat" if i % 2 else "cow"} for i, record in enumerate(rows())]
    path, columns = write(tmp_path / "t.parquet", records), Columns(id="key", split="part", label="kind")
    (tmp_path / "tree.txt").write_text("animal cat\nanimal dog\n")
    message = fault(path, columns, taxonomy=tmp_path / "tree.txt")
    assert message.count("\n") == 1
    assert f"{path}: row 0 (id 'k0'), column 'kind': 'cow' is not in the taxonomy" in message
    (tmp_path / "tree.txt").write_text("animal cat\nanimal cow\n")
    assert build(path, columns, taxonomy=tmp_path / "tree.txt")[0].taxonomy.num_rows == 2


# Faults of a table


def broken(tmp_path: Path, row: int, suffix: str = ".parquet", **changes) -> Path:
    records = rows()
    records[row] |= changes
    return write(tmp_path / f"t{suffix}", records)


def test_missing_image_file(tmp_path):
    path = broken(tmp_path, 3, ".csv", image="nowhere.png")
    message = fault(path)
    assert message.startswith(
        f"{path}: line 5 (id 'k3'), column 'image': '{tmp_path / 'nowhere.png'}' cannot be opened"
    )
    assert "supply the picture, or skip such rows with prepare.skip: [missing_image]" in message


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_no_image_counts_as_missing(tmp_path, suffix):
    message = fault(broken(tmp_path, 2, suffix, image=None))
    place = {".parquet": "row 2", ".csv": "line 4", ".jsonl": "line 3"}[suffix]
    assert f"{place} (id 'k2'), column 'image': is empty; supply the picture" in message


def test_undecodable_image(tmp_path):
    path = broken(tmp_path, 1, image=png(1)[:-30])
    assert fault(path).startswith(
        f"{path}: row 1 (id 'k1'), column 'image': cannot be decoded (truncated file); mend the file, "
        "or skip such rows with prepare.skip: [undecodable_image]"
    )


@pytest.mark.parametrize("text", ["", "  \n", None])
def test_empty_text(tmp_path, text):
    message = fault(broken(tmp_path, 5, text=text))
    assert "row 5 (id 'k5'), column 'text': is empty; supply a text, or skip such rows with" in message


def test_texts_of_another_type(tmp_path):
    path = write(tmp_path / "t.jsonl", [{**record, "text": 7} for record in rows(3)])
    assert "line 1 (id 'k0'), column 'text': is of type int" in fault(path)
    path.write_text('{"key": "a", "image": null, "part": "train", "text": "\\ud800"}')
    assert "column 'text': is not valid Unicode" in fault(path)


def test_duplicate_and_empty_ids(tmp_path):
    message = fault(broken(tmp_path, 4, key="k1"))
    assert "row 4 (id 'k1'), column 'key': already used by row 1; ids must be unique" in message
    assert "row 4, column 'key': is empty" in fault(broken(tmp_path, 4, key=None))


def test_rows_in_messages_are_those_of_the_table(tmp_path):
    """Two rows are ignored before the duplicate."""
    records = rows(8)
    records[0]["part"] = records[1]["part"] = "unused"
    records[5]["key"] = "k3"
    message = fault(write(tmp_path / "t.parquet", records), splits={"unused": "ignore"})
    assert "row 5 (id 'k3'), column 'key': already used by row 3" in message


@pytest.mark.parametrize(("value", "meant"), [("validation", "val"), ("extra", "test")])
def test_unknown_split_is_told_once_with_the_mapping_to_add(tmp_path, value, meant):
    records = rows(8)
    records[2]["part"] = records[3]["part"] = value
    path = write(tmp_path / "t.parquet", records)
    message = fault(path)
    assert message.count("unknown split") == 1
    assert f"{path}: row 2 (id 'k2'), column 'part': unknown split '{value}'" in message
    assert f"fetch.splits: {{'{value}': {meant}}}" in message


def test_group_split_apart(tmp_path):
    records = [{**record, "thing": f"g{i}"} for i, record in enumerate(rows())]
    records[5]["thing"] = "g0"
    path = write(tmp_path / "t.parquet", records)
    message = fault(path, Columns(id="key", split="part", group="thing"))
    assert (
        f"{path}: row 5 (id 'k5'), column 'thing': group 'g0' is split apart: here in test, in row 0 in train"
        in message
    )


def test_extra_test_sets_may_share_groups_with_training(tmp_path):
    records = [{**record, "thing": "g"} for record in rows()]
    for record in records[4:]:
        record["part"] = "test_again"
    build(write(tmp_path / "t.parquet", records), Columns(id="key", split="part", group="thing"))


def test_labels_below_minus_one(tmp_path):
    records = [{**record, "label": i - 2} for i, record in enumerate(rows())]
    message = fault(write(tmp_path / "t.parquet", records), Columns(id="key", split="part", label="label"))
    assert "row 0 (id 'k0'), column 'label': is -2; labels are 0 or more, -1 where unknown" in message


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_a_column_that_is_not_there(tmp_path, suffix):
    path = write(tmp_path / f"t{suffix}", rows())
    message = fault(path, Columns(id="key", texts=["txet"]))
    assert message == (
        f"{path}: no column 'txet' (fetch.columns.texts); the columns are: key, image, text, part; did you mean 'text'?"
    )


def test_a_column_that_is_there_twice(tmp_path):
    (tmp_path / "t.csv").write_text("image,text,text\na,b,c\n")
    assert "column 'text' is there 2 times" in fault(tmp_path / "t.csv", Columns())


def test_no_rows(tmp_path):
    (tmp_path / "t.csv").write_text("key,image,text,part\n")
    assert "no row is left to use" in fault(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.xlsx", b"", "is a workbook; open it in a spreadsheet program and save the sheet as CSV (UTF-8)"),
        ("t.doc", b"", "unknown suffix '.doc'; tables are .parquet, .csv, .tsv, .jsonl, .txt, .tab, .ndjson"),
        ("t.json", b"[]", "write one object a line into a .jsonl"),
        ("t.parquet", None, "no such file"),
        ("t.parquet", b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS"),
        ("t.csv", b"<!DOCTYPE html><html>404</html>\n", "is a web page, not data; download the file itself"),
        ("t.csv", "key,image\n".encode("utf-16-be"), "iconv -f UTF-16BE -t UTF-8"),
        ("t.csv", "key,image\n".encode("utf-16-le"), "iconv -f UTF-16LE -t UTF-8"),
        ("t.parquet", b"PAR1 no", "cannot be read as PARQUET"),
        ("t.csv", b"", "the first line, with the names, is empty"),
        ("t.csv", b"key,image,text,part\na,b\n", "line 2: has 2 cells in place of 4"),
        ("t.csv", b"key,image,text,part\na,b,\xff,train\n", "cannot be read as CSV"),
        ("t.jsonl", b'{"key": 1, "image": "", "text": "", "part": ""}\n{"key": \n', "line 2: not valid JSON"),
        ("t.jsonl", b"[1]\n", "line 1: expected an object"),
        ("t.jsonl", b'{"key": "\xff"}\n', "cannot be read as JSONL"),
    ],
)
def test_files_that_are_no_tables(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    found = fault(tmp_path / name)
    assert found.startswith(f"{tmp_path / name}: ")
    assert message in found


def test_byte_order_mark(tmp_path):
    path = write(tmp_path / "t.csv", rows())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert build(path)[0].items.num_rows == 6


def test_columns_that_appear_late_in_jsonl(tmp_path):
    records = rows(100)
    records[-1]["label"] = "x"
    dataset, _ = build(write(tmp_path / "t.jsonl", records), Columns(id="key", split="part", label="label"))
    assert dataset.items["label"].to_pylist() == [-1] * 99 + [0]


def test_large_csv_files(tmp_path):
    """Several megabytes: line breaks fall on the borders of blocks, and types guessed from the first are wrong."""
    lines = [f'{i},"text {i}\n{"x" * 1000}\n.",train' for i in range(3000)]
    (tmp_path / "t.csv").write_text("key,text,part\n" + "\n".join([*lines, "last,text,val"]))
    dataset, _ = build(tmp_path / "t.csv", Columns(id="key", image=None, split="part"))
    assert dataset.items["id"].to_pylist() == [*map(str, range(3000)), "last"]
    assert dataset.items["texts"].to_pylist()[2999] == [f"text 2999\n{'x' * 1000}\n."]
    assert readers.count(tmp_path / "t.csv") == 3001


def test_problems_are_shown_together_up_to_twenty(tmp_path):
    records = rows(40)
    for record in records[:15]:
        record["text"] = ""
    for record in records[15:30]:
        record["image"] = b"x"
    records[31]["key"] = "k30"
    records[32]["part"] = "tset"
    lines = fault(write(tmp_path / "t.parquet", records)).split("\n")
    assert len(lines) == 22
    assert lines[-2:] == ["… and 12 more", "(Rows are counted from 0.)"]


# Leaving rows out


def test_rows_are_skipped_when_asked_for_and_listed(tmp_path):
    records = rows(8)
    records[0]["image"], records[1]["image"], records[2]["text"] = None, b"x", " "
    dataset, images = build(
        write(tmp_path / "t.parquet", records), skip=["missing_image", "undecodable_image", "empty_text"]
    )
    assert dataset.items["id"].to_pylist() == ["k3", "k4", "k5", "k6", "k7"]
    assert [(fault.kind, fault.row, fault.id, fault.field) for fault in dataset.skipped] == [
        ("empty_text", 2, "k2", "text"),
        ("missing_image", 0, "k0", "image"),
        ("undecodable_image", 1, "k1", "image"),
    ]
    np.testing.assert_array_equal(images[dataset.items["image_row"].to_numpy()], [picture(i) for i in range(3, 8)])


def test_only_what_is_named_is_skipped(tmp_path):
    path = broken(tmp_path, 0, image=b"x", text="")
    assert "column 'text': is empty" in fault(path, skip=["undecodable_image"])


def test_of_several_texts_only_the_empty_one_is_skipped(tmp_path):
    records = [{**record, "text": [f"a{i}", "", f"b{i}"]} for i, record in enumerate(rows())]
    records[1]["text"] = ["", None]
    path = write(tmp_path / "t.parquet", records)
    assert "column 'text': text 1 is empty" in fault(path)
    dataset, _ = build(path, skip=["empty_text"])
    assert dataset.items["id"].to_pylist() == ["k0", "k2", "k3", "k4", "k5"]
    assert dataset.items["texts"].to_pylist()[0] == ["a0", "b0"]
    assert len(dataset.skipped) == 7
