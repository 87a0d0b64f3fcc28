"""Tables as people have them: pictures of every kind, odd cells, encodings, separators, paths, classes of one item."""

import csv
import gzip
import io
import json
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from kith.data import edges, readers, table
from kith.data.categories import SEPARATOR
from kith.data.problems import Problems
from kith.data.rows import Columns
from kith.data.store import ImageWriter
from kith.errors import KithError
from kith.taxonomy import narrowest

SIZE = 16
RED = (200, 40, 40)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def build(path: Path, columns: Columns, **options):
    with ImageWriter(path.parent / "images.npy", SIZE, "RGB") as pictures:
        dataset = table.build(path, columns, pictures, **{"val": 0, "test": 0, **options})
    return dataset.items.to_pylist(), np.load(path.parent / "images.npy"), dataset


def fault(path: Path, columns: Columns, **options) -> str:
    with pytest.raises(KithError) as caught:
        build(path, columns, **options)
    return str(caught.value)


def texts(path: Path, *columns: str, **named) -> list:
    return build(path, Columns(image=None, texts=columns or ("text",), **named))[0]


# Pictures


def pictures() -> dict[str, bytes]:
    """The same red in every kind of file, by name."""
    red = Image.new("RGB", (40, 30), RED)
    frames = [red, Image.new("RGB", (40, 30), "blue")]
    animated = {"save_all": True, "append_images": frames[1:], "duration": 50}
    glass = Image.new("RGBA", (40, 30), (*RED, 255))
    exif = Image.Exif()
    exif[0x0112] = 8
    deep = Image.fromarray(np.full((30, 40), 90 * 257, np.uint16))
    return {
        "a.jpg": encoded(red, "JPEG", quality=95),
        "a.png": encoded(red, "PNG"),
        "a.gif": encoded(red, "GIF"),
        "a.webp": encoded(red, "WEBP", lossless=True),
        "moving.gif": encoded(red, "GIF", **animated),
        "moving.webp": encoded(red, "WEBP", lossless=True, **animated),
        "moving.png": encoded(red, "PNG", **animated),
        "cmyk.jpg": encoded(red.convert("CMYK"), "JPEG", quality=95),
        "turned.jpg": encoded(red, "JPEG", quality=95, exif=exif),
        "palette.png": encoded(red.quantize(4), "PNG"),
        "glass.png": encoded(glass, "PNG"),
        "one.png": encoded(Image.new("RGB", (1, 1), RED), "PNG"),
        "large.png": encoded(Image.new("RGB", (3000, 2000), RED), "PNG"),
        "wide.png": encoded(Image.new("RGB", (4000, 3), RED), "PNG"),
        "png named.jpg": encoded(red, "PNG"),
        "deep.png": encoded(deep, "PNG"),
        "deep.tif": encoded(deep, "TIFF"),
        "grey.png": encoded(Image.new("L", (40, 30), 90), "PNG"),
    }


def test_pictures_of_every_kind_in_one_table(tmp_path):
    made = pictures()
    for name, data in made.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "t.csv").write_text("photo\n" + "\n".join(made))
    items, images, _ = build(tmp_path / "t.csv", Columns(image="photo", texts=[]), fit="stretch")
    assert len(items) == len(made)
    for name, item in zip(made, items, strict=True):
        expected = (90, 90, 90) if name.startswith(("deep", "grey")) else RED
        assert np.abs(images[item["image_row"]].astype(int) - expected).max() <= 4, name


def test_transparency_in_a_palette_and_in_colours_is_white(tmp_path):
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([9, 9, 9])
    rows = [encoded(clear, "PNG"), encoded(palette, "PNG", transparency=0), encoded(clear, "WEBP", lossless=True)]
    pq.write_table(pa.table({"image": rows}), tmp_path / "t.parquet")
    _, images, _ = build(tmp_path / "t.parquet", Columns(texts=[]))
    assert (images == 255).all()


def bomb() -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def test_every_broken_picture_is_named_at_once_and_nothing_else_is_said(tmp_path, capfd, recwarn):
    whole = encoded(Image.new("RGB", (64, 64), RED), "JPEG")
    broken = {
        "truncated.jpg": (whole[: len(whole) // 2], "truncated file"),
        "empty.jpg": (b"", "empty file"),
        "text.jpg": (b"This is no picture.\n", "not a known image format"),
        "bomb.png": (bomb(), "cannot be decoded (more than twice the limit of 89,478,485 pixels; make it smaller)"),
        "none.jpg": (None, "No such file"),
    }
    for name, (data, _) in broken.items():
        if data is not None:
            (tmp_path / name).write_bytes(data)
    (tmp_path / "t.csv").write_text("image\n" + "\n".join(broken))
    lines = fault(tmp_path / "t.csv", Columns(texts=[])).splitlines()
    for row, (line, (_, message)) in enumerate(zip(lines, broken.values(), strict=False)):
        assert f"line {row + 2} (id '{row}'), column 'image': " in line
        assert message in line
    assert len(lines) == len(broken)
    assert capfd.readouterr().err == ""
    assert not [warning for warning in recwarn if "PIL" in str(warning.filename)]


def test_broken_exif_does_no_harm(tmp_path):
    data = encoded(Image.new("RGB", (16, 16), RED), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    pq.write_table(pa.table({"image": [data]}), tmp_path / "t.parquet")
    assert np.abs(build(tmp_path / "t.parquet", Columns(texts=[]))[1].astype(int) - RED).max() < 5


def test_paths_absolute_upwards_with_windows_separators_and_addresses(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "tables").mkdir()
    Image.new("RGB", (8, 8), RED).save(tmp_path / "sub" / "a.png")
    Image.new("RGB", (8, 8), "blue").save(tmp_path / "tables" / "b\\c.png")  # a backslash that is part of a name
    good = [str(tmp_path / "sub" / "a.png"), "../sub/a.png", "..\\sub\\a.png", "b\\c.png"]
    path = tmp_path / "tables" / "t.jsonl"
    path.write_text("\n".join(json.dumps({"image": name}) for name in good))
    items, _, _ = build(path, Columns(texts=[]), outside=True)
    assert [item["image_row"] for item in items] == [0, 0, 0, 1]
    message = fault(path, Columns(texts=[]))
    assert message.count("lies outside of the folder of the pictures; name that as image_root, or allow it") == 3
    bad = ["https://example.org/a.png", "sub", "\0", "x" * 5000, ".."]
    path.write_text("\n".join(json.dumps({"image": name}) for name in bad))
    message = fault(path, Columns(texts=[]), outside=True)
    assert message.count("cannot be opened") == len(bad)
    assert "an address, not a file; download it first" in message
    assert max(map(len, message.splitlines())) < 600


def test_pictures_lie_in_the_folder_of_the_table_or_in_image_root(tmp_path):
    for name in ("tables/in", "photos", "secret"):
        (tmp_path / name).mkdir(parents=True)
        Image.new("RGB", (8, 8), RED).save(tmp_path / name / "a.png")
    (tmp_path / "tables" / "link.png").symlink_to(tmp_path / "secret" / "a.png")
    (tmp_path / "tables" / "linked").symlink_to(tmp_path / "secret")
    (tmp_path / "photos" / "near.png").symlink_to("a.png")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "photos")
    path = tmp_path / "tables" / "t.jsonl"

    def told(names: list[str], **options) -> int:
        path.write_text("\n".join(json.dumps({"image": name}) for name in names))
        with ImageWriter(tmp_path / "images.npy", SIZE, "RGB") as pictures:
            problems = Problems("t")
            table.collect(path, Columns(texts=[]), pictures, problems, val=0, test=0, **options)
        assert set(problems.counts) <= {"image"}
        return problems.count

    assert told(["in/a.png", "in/../in/a.png", str(tmp_path / "tables" / "in" / "a.png"), "../tables/in/a.png"]) == 0
    outside = [
        "../secret/a.png",
        "in/../../secret/a.png",
        str(tmp_path / "secret" / "a.png"),
        "link.png",
        "linked/a.png",
    ]
    assert told(outside) == len(outside)
    assert told(outside, outside=True) == 0
    root = {"image_root": tmp_path / "elsewhere"}
    assert told(["a.png", "near.png", str(tmp_path / "photos" / "a.png"), "../tables/in/a.png"], **root) == 0
    assert told(["../secret/a.png", str(tmp_path / "secret" / "a.png")], **root) == 2
    encoded = {"image": [{"bytes": None, "path": "../secret/a.png"}, {"bytes": pictures()["a.png"], "path": "../x"}]}
    pq.write_table(pa.table(encoded), tmp_path / "tables" / "t.parquet")
    assert fault(tmp_path / "tables" / "t.parquet", Columns(texts=[])).count("lies outside") == 1


def test_pipes_devices_and_folders_are_no_pictures(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "t.csv").write_text("image\npipe.png\nfolder.png\n/dev/zero\n")
    message = fault(tmp_path / "t.csv", Columns(texts=[]), outside=True)
    assert message.count("cannot be opened (a pipe or a device, not a file)") == 2
    assert "cannot be opened (Is a directory)" in message


# Texts


def test_texts_of_every_script_and_cells_that_are_empty(tmp_path):
    kinds = ["👩‍👩‍👧 family", "שלום עולם", "مرحبا بالعالم", "\u202eabc\u202c", "日本語", "e\u0301"]
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(json.dumps({"text": text}) for text in kinds))
    assert [item["texts"] for item in texts(path)] == [[text] for text in kinds]
    empty = ['""', '" \\t\\n "', "null", "NaN", "[]", '["", null]', '"\u00a0\u3000"']
    path.write_text("\n".join(f'{{"text": {cell}}}' for cell in empty))
    assert fault(path, Columns(image=None)).count("is empty") == 8
    path.write_text("\n".join([*(f'{{"text": {cell}}}' for cell in empty), '{"text": "a"}', "{}"]))
    items, _, dataset = build(path, Columns(image=None), skip=["empty_text"])
    assert [(item["id"], item["texts"]) for item in items] == [("7", ["a"])]
    assert len(dataset.skipped) == 9


def test_no_texts_and_several_texts(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": ["x", "y"], "b": "z"}\n{"a": "w", "b": ["v"]}\n')
    assert [item["texts"] for item in texts(path, "a", "b")] == [["x", "y", "z"], ["w", "v"]]
    pq.write_table(pa.table({"image": [pictures()["a.png"]] * 2}), tmp_path / "t.parquet")
    assert [item["texts"] for item in build(tmp_path / "t.parquet", Columns(texts=[]))[0]] == [[], []]


def test_lists_that_are_written_into_cells(tmp_path):
    cells = [
        "['a red bar', \"it's\"]",
        '["one", "caf\\u00e9"]',
        "['x y'\n 'z']",
        "[sic] a bar",
        "['a'] and b",
        "['\\x']",
    ]
    path = tmp_path / "t.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["text"], *([cell] for cell in cells)])
    found = [item["texts"] for item in texts(path)]
    assert found[:3] == [["a red bar", "it's"], ["one", "café"], ["x y", "z"]]
    assert found[3:] == [[cell] for cell in cells[3:]]
    path.write_text("text\n[]\n\"['a', ' ']\"\n")
    message = fault(path, Columns(image=None))
    assert "line 2 (id '0'), column 'text': is empty" in message
    assert "line 3 (id '1'), column 'text': text 1 is empty" in message


# Labels, ids, groups


@pytest.mark.parametrize(
    ("cells", "labels", "names"),
    [
        (["b", "a", " b "], [1, 0, 1], ["b", "a", "b"]),
        ([2, 1, 2], [2, 1, 2], ["2", "1", "2"]),
        ([2.0, float("nan"), 1.0], [2, -1, 1], ["2", "", "1"]),
        ([0.5, 1.0, None], [0, 1, -1], ["0.5", "1", ""]),
        ([True, False, True], [1, 0, 1], ["True", "False", "True"]),
        (["2", 2, 2.0], [2, 2, 2], ["2", "2", "2"]),
        ([10**30, 1, 2], [1, 0, 2], [str(10**30), "1", "2"]),
    ],
)
def test_labels_of_every_type(tmp_path, cells, labels, names):
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(json.dumps({"text": "a", "kind": cell}) for cell in cells))
    items = texts(path, label="kind")
    assert [item["label"] for item in items] == labels
    assert [item["label_name"] for item in items] == names


def test_ids_of_mixed_types_that_say_the_same_are_twins(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(json.dumps({"key": key, "text": "a"}) for key in (1, "b", 2.5, True, "1", 1.0)))
    message = fault(path, Columns(id="key", image=None))
    assert "line 5 (id '1'), column 'key': already used by line 1" in message
    assert "line 6 (id '1')" in message
    assert message.count("\n") == 1


@pytest.mark.parametrize("field", ["id", "label", "split", "group"])
def test_single_values_that_are_lists_or_no_text(tmp_path, field):
    path = tmp_path / "t.jsonl"
    path.write_text('{"x": ["a"], "text": "a"}\n{"x": {"b": 1}, "text": "a"}\n{"x": "\\ud800", "text": "a"}\n')
    message = fault(path, Columns(image=None, **{field: "x"}))
    assert "column 'x': is of type list; expected a single value" in message
    assert "column 'x': is of type dict; expected a single value" in message
    assert "column 'x': is not valid Unicode" in message


def test_an_empty_split_is_told(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("text,part\na,train\nb,\n")
    message = fault(path, Columns(image=None, split="part"))
    assert "line 3 (id '1'), column 'part': is empty; splits are train, val, test" in message
    assert [item["split"] for item in build(path, Columns(image=None, split="part"), splits={"": "val"})[0]] == [
        "train",
        "val",
    ]


def test_all_faults_of_a_row_are_told_at_once(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("key,image,text,part\na,none.png,,trian\na,none.png,x,train\n")
    message = fault(path, Columns(id="key", split="part"))
    for part in ("line 2 (id 'a'), column 'image'", "column 'text': is empty", "unknown split 'trian'"):
        assert part in message
    assert message.count("none.png") == 2


def test_large_and_single_classes(tmp_path):
    """Of each class some go to val, but never the only one."""
    kinds = ["many"] * 90 + ["few"] * 5 + ["two"] * 2 + ["one"]
    path = tmp_path / "t.csv"
    path.write_text("text,kind,part\n" + "\n".join(f"a,{kind},train" for kind in kinds) + "\na,one,test")
    items = build(path, Columns(image=None, label="kind", split="part"), val=0.1)[0]
    held = [item["label_name"] for item in items if item["split"] == "val"]
    assert {kind: held.count(kind) for kind in set(held)} == {"many": 9, "few": 1, "two": 1}
    assert sum(item["label_name"] == "one" for item in items) == 2


def test_a_group_split_apart_and_a_group_of_each_item(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("text,thing,part\na,g,train\nb,g,val\nc,,val\nd,,train\n")
    message = fault(path, Columns(image=None, group="thing", split="part"))
    assert "group 'g' is split apart: here in val, in line 2 in train" in message
    assert message.count("split apart") == 1  # items without a group are groups of their own


# Files


ROWS = [("k1", "one, with a comma"), ("k2", 'a "quoted"\nline\r\nbreak'), ("k3", "žluťoučký")]


def delimited(separator: str) -> str:
    lines = [f'{key}{separator}"{text.replace(chr(34), 2 * chr(34))}"' for key, text in ROWS]
    return "\n".join([f"key{separator}text", *lines]) + "\n"


@pytest.mark.parametrize("separator", [",", ";", "|", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_separators_marks_and_quoted_line_breaks(tmp_path, separator, mark):
    data = mark + delimited(separator).encode()
    (tmp_path / "t.csv").write_bytes(data)
    (tmp_path / "z.csv.gz").write_bytes(gzip.compress(data))
    (tmp_path / "w.csv").write_bytes(data.replace(b"\n", b"\r\n").replace(b"\r\r", b"\r"))
    for name in ("t.csv", "z.csv.gz"):
        items = texts(tmp_path / name, id="key")
        assert [(item["id"], *item["texts"]) for item in items] == ROWS
    assert len(texts(tmp_path / "w.csv", id="key")) == 3


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_other_encodings_are_named_with_their_line(tmp_path, suffix):
    text = "text\nplain\ncafé\n" if suffix == ".csv" else '{"text": "plain"}\n{"text": "a"}\n{"text": "café"}\n'
    path = tmp_path / f"t{suffix}"
    path.write_bytes(text.encode("latin-1"))
    message = fault(path, Columns(image=None))
    assert "line 3: byte 0xe9 is not UTF-8 text; save it as UTF-8; if it was made by Windows in a western" in message
    assert "iconv -f CP1252 -t UTF-8" in message
    path.write_bytes("text\n“plain”\n".encode("cp1252"))
    assert "iconv -f CP1252" in fault(path, Columns(image=None))
    path.write_bytes("text\n赤いキツネ\n".encode("shift-jis"))
    assert "iconv -f" not in fault(path, Columns(image=None))
    path.write_bytes(text.encode("utf-16")[:-1])
    assert "its first bytes say UTF-16, and it is not" in fault(path, Columns(image=None))
    path.write_bytes(text.encode("utf-16-le"))
    assert "iconv -f UTF-16LE" in fault(path, Columns(image=None))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".jsonl", ".ndjson"])
def test_encodings_that_say_what_they_are_are_read(tmp_path, encoding, suffix):
    text = '{"text": "café"}\n{"text": "赤"}\n' if "json" in suffix else "text\ncafé\n赤\n"
    path = tmp_path / f"t{suffix}"
    path.write_bytes(text.encode(encoding))
    assert [item["texts"] for item in texts(path)] == [["café"], ["赤"]]
    packed = tmp_path / f"t{suffix}.gz"
    packed.write_bytes(gzip.compress(text.encode(encoding)))
    assert [item["texts"] for item in texts(packed)] == [["café"], ["赤"]]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK\x03\x04\x14\0\x06\0" + bytes(range(256)), "is an Excel workbook (.xlsx) or another zip archive; open it"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "is an old Excel workbook (.xls)"),
        (b"PAR1\x15\x04", "is a Parquet file; let its name end in .parquet"),
        (gzip.compress(b"text\na\n", mtime=0), "is compressed by gzip; let its name end in .gz too"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_files_that_are_no_text(tmp_path, data, message, suffix):
    path = tmp_path / f"t.{suffix}"
    path.write_bytes(data)
    assert f"{path}: {message}" in fault(path, Columns(image=None))


def test_broken_lines_are_told_with_their_numbers_and_rows_still_count(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "a"}\n\n{"text": \n"no object"\n{"text": ""}\n{"text": 1e99999}\n')
    lines = fault(path, Columns(image=None)).splitlines()
    assert lines[0].startswith(f"{path}: line 3: not valid JSON: ")
    assert lines[1] == f"{path}: line 4: expected an object in braces"
    assert lines[2].startswith(f"{path}: line 5 (id '3'), column 'text': is empty")
    assert "line 6 (id '4'), column 'text': is of type float" in lines[3]
    path = tmp_path / "t.csv"
    path.write_text('key,text\na,"x\ny"\nb\nc,z,z\n"d"d,z\ne,\nf,"never closed\n')
    lines = fault(path, Columns(id="key", image=None)).splitlines()
    assert lines[0].startswith(f"{path}: line 4: has 1 cells in place of 2")
    assert lines[1].startswith(f"{path}: line 5: has 3 cells in place of 2")
    assert "line 6: cannot be read" in lines[2]
    assert "line 7 (id 'e'), column 'text': is empty" in "\n".join(lines)
    assert "line 8: a quotation mark opens a cell here that is never closed" in "\n".join(lines)


def test_parquet_with_columns_of_every_kind(tmp_path):
    words = ["a red thing", "a blue thing", "a red thing"]
    columns = {
        "dictionary": pa.array(words).dictionary_encode(),
        "large": pa.array(words, pa.large_string()),
        "bytes": pa.array([word.encode() for word in words], pa.binary()),
        "lists": pa.array([[word] for word in words], pa.large_list(pa.large_string())),
        "dotted.name": pa.array(words),
        "view": pa.array(words, pa.string_view()),
    }
    key = pa.array([1, 2, 3], pa.int16())
    nested = pa.array([{"path": None, "bytes": pictures()["a.png"], "more": [1]}] * 3)
    pq.write_table(pa.table({**columns, "key": key, "image": nested}), tmp_path / "t.parquet")
    items, images, _ = build(tmp_path / "t.parquet", Columns(id="key", texts=list(columns), label="dictionary"))
    assert [item["texts"] for item in items] == [[word] * len(columns) for word in words]
    assert [(item["id"], item["label"]) for item in items] == [("1", 1), ("2", 0), ("3", 1)]
    assert len(images) == 1
    message = fault(tmp_path / "t.parquet", Columns(id="key", texts=["image"]))
    assert "column 'image': is of type dict; texts are strings" in message


def test_a_row_group_is_not_held_as_a_whole(tmp_path):
    random = np.random.default_rng(0)
    pictures = [random.bytes(50_000) for _ in range(1000)]
    pq.write_table(pa.table({"image": pictures}), tmp_path / "t.parquet", write_batch_size=20)
    del pictures
    before = pa.total_allocated_bytes()
    most = max(pa.total_allocated_bytes() - before for _ in readers.batches(tmp_path / "t.parquet", ["image"]))
    assert most < 20_000_000


def test_damaged_files(tmp_path):
    pq.write_table(pa.table({"text": [f"text {i}" for i in range(5000)]}), tmp_path / "t.parquet", compression="zstd")
    data = bytearray((tmp_path / "t.parquet").read_bytes())
    data[len(data) // 3 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 3)
    (tmp_path / "t.parquet").write_bytes(data)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"text\n" + b"abc\n" * 9999)[:-20])
    (tmp_path / "u.csv.gz").write_bytes(b"text\nabc\n")
    for name in ("t.parquet", "t.csv.gz", "u.csv.gz"):
        assert fault(tmp_path / name, Columns(image=None)).startswith(f"{tmp_path / name}: cannot be read as ")


# Categories


def test_categories_are_a_taxonomy_of_paths(tmp_path):
    path = tmp_path / "t.csv"
    rows = ["women,shoes,boots", "men,shoes,boots", "men,hats,", ",,", "women,shoes,sandals"]
    path.write_text("a,b,c,text\n" + "\n".join(f"{row},x" for row in rows))
    items, _, dataset = build(path, Columns(image=None, categories=["a", "b", "c"]))
    names = ["women > shoes > boots", "men > shoes > boots", "men > hats", "", "women > shoes > sandals"]
    assert [item["label_name"] for item in items] == names
    assert [item["label"] for item in items] == [2, 1, 0, -1, 3]
    nodes = {node["child"]: (node["parent"], node["name"]) for node in dataset.taxonomy.to_pylist()}
    assert nodes["women > shoes > boots"] == ("women > shoes", "women > shoes > boots")
    assert nodes["women > shoes > sandals"] == ("women > shoes", "women > shoes > sandals")
    assert nodes["men > hats"] == ("men", "men > hats")
    assert [narrowest(node) for node in nodes] == [node.split(SEPARATOR)[-1] for node in nodes]
    assert nodes["men"] == ("all", "men")
    assert len(nodes) == 8
    pq.write_table(dataset.taxonomy, tmp_path / "tree.parquet")
    assert edges.read(tmp_path / "tree.parquet").equals(dataset.taxonomy)


def test_faults_of_categories(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,text\nwomen,shoes,x\n,hats,x\nmen,a > b,x\nall,all,x\n")
    lines = fault(path, Columns(image=None, categories=["a", "b"])).splitlines()
    assert "line 3 (id '1'), column 'b': a wider category is empty" in lines[0]
    assert "line 4 (id '2'), column 'b': 'a > b' has ' > ' in it" in lines[1]
    assert len(lines) == 2


def test_a_class_that_is_called_na(tmp_path, capsys):
    path = tmp_path / "t.csv"
    rows = [("sodium", "NA"), ("iron", "FE"), ("none", "-"), ("empty", ""), ("null", "null")]
    path.write_text("text,kind\n" + "".join(f"{text} metal,{kind}\n" for text, kind in rows * 2))
    columns = Columns(image=None, label="kind")
    for missing, named in [(None, "FE,-"), ([], "NA,FE,-,null"), (["-", "null"], "NA,FE")]:
        found, _, dataset = build(path, columns, missing=missing)
        assert {row["label_name"] for row in found} - {""} == set(named.split(","))
        told = "".join(dataset.remarks)
        assert (
            "column 'kind': 'NA' is taken for nothing (2 cells); if it is a value, give fetch.missing: []" in told
        ) == (missing is None)
        assert ("'null' is taken for nothing" in told) == (missing != [])
    path.write_text("text\nNA\nsodium\n")
    assert "is 'NA', which is no text" in fault(path, Columns(image=None))
    assert [row["texts"] for row in build(path, Columns(image=None), missing=[])[0]] == [["NA"], ["sodium"]]


@pytest.mark.parametrize(
    ("ids", "read"),
    [
        (["99999", "1e+05", "100001"], ["99999", "100000", "100001"]),
        (["1.2e+07", "3.0", "2e+17"], ["12000000", "3", "200000000000000000"]),
        (["1e+05", "a"], ["1e+05", "a"]),  # names
        (["1e5", "12"], ["1e5", "12"]),  # hexadecimal digits
        (["1.25e+01", "12"], ["1.25e+01", "12"]),  # no whole number
    ],
)
def test_whole_numbers_with_an_exponent(tmp_path, ids, read):
    path = tmp_path / "t.csv"
    path.write_text("sku,text\n" + "".join(f"{each},a text\n" for each in ids))
    found, _, dataset = build(path, Columns(id="sku", image=None))
    assert [row["id"] for row in found] == read
    powers = [each for each in ids if "e+" in each]
    assert list(dataset.remarks) == (
        [f"column 'sku': '{powers[0]}' is read as {read[ids.index(powers[0])]}, as the others are whole"]
        if read != ids
        else []
    )


def test_ids_that_a_spreadsheet_has_cut_short(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("sku,text,kind\n4.00638E+12,a,1\n7,b,4E+11\n")
    told = fault(path, Columns(id="sku", image=None, label="kind")).splitlines()
    assert told == [
        f"{path}: line 2 (id '4.00638E+12'), column 'sku': '4.00638E+12' is a number that a spreadsheet has cut short; "
        "save the column as text",
        f"{path}: line 3 (id '7'), column 'kind': '4E+11' is a number that a spreadsheet has cut short; save the "
        "column as text",
    ]


def test_accents_of_other_systems_are_the_same_letters(tmp_path):
    """macOS writes é as two characters: in labels, groups, a taxonomy, and names of files."""
    one, two = "caf\u00e9", "cafe\u0301"
    (tmp_path / "pictures").mkdir()
    for number, name in enumerate((two, "tea")):
        Image.new("RGB", (8, 8), (number * 90, 0, 0)).save(tmp_path / f"pictures/{name}.png")
    path, tree = tmp_path / "t.csv", tmp_path / "tree.txt"
    path.write_text(f"image,kind,room\npictures/{one}.png,{one},{two}\n pictures/tea.png ,{two},{one}\n", "utf-8")
    tree.write_text(f"drinks {two}\ndrinks tea\n", "utf-8")
    found, images, dataset = build(path, Columns(texts=(), label="kind", group="room"), taxonomy=tree)
    assert [(row["label_name"], row["group"], row["image_row"]) for row in found] == [(one, one, 0), (one, one, 1)]
    assert images[:, 0, 0, 0].tolist() == [0, 90]
    assert dataset.remarks == ()


def test_classes_that_look_alike_are_told(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("text,kind\na,Shoe\nb,shoe\nc,ＳＨＯＥ\nd,red hat\ne,hat\n", "utf-8")
    (told,) = build(path, Columns(image=None, label="kind"))[2].remarks
    assert told.startswith("classes 'Shoe' and 'shoe' (and 1 more such pairs) differ in capitals, width or white space")


@pytest.mark.parametrize(
    ("pixels", "mode", "message"),
    [
        (np.full((4, 4), np.nan, np.float32), "F", "it has no numbers, NaN alone"),
        (
            np.full((4, 4), 70_000, np.int32),
            "I",
            "values up to 70,000, and greys have at most 16 bits; save it with fewer",
        ),
    ],
)
def test_greys_that_eight_bits_cannot_stand_for(tmp_path, pixels, mode, message):
    (tmp_path / "a.tiff").write_bytes(encoded(Image.fromarray(pixels, mode=mode), "TIFF"))
    path = tmp_path / "t.csv"
    path.write_text("image,text\na.tiff,a\n")
    assert f"cannot be decoded ({message})" in fault(path, Columns())


def test_pictures_are_looked_for_where_the_process_is_now(tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        Image.new("RGB", (8, 8), RED).save("a.png")
        Path("t.csv").write_text("image,text\na.png,a\n")
        assert len(build(Path("t.csv"), Columns())[0]) == 1


def test_a_link_and_two_points_lead_nowhere(tmp_path):
    """The part before .. is a link: where it leads, the system goes up from."""
    (tmp_path / "elsewhere/deep").mkdir(parents=True)
    (tmp_path / "shop").mkdir()
    Image.new("RGB", (8, 8), RED).save(tmp_path / "elsewhere/secret.png")
    (tmp_path / "shop/link").symlink_to(tmp_path / "elsewhere/deep")
    path = tmp_path / "shop/t.csv"
    path.write_text("image,text\nlink/../secret.png,a\n")
    assert "lies outside of the folder of the pictures" in fault(path, Columns())
    assert len(build(path, Columns(), outside=True)[0]) == 1
