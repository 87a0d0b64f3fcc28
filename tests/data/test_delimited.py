"""CSV and TSV files: which lines are rows, and what a quotation mark too many or too few costs."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kith.data import readers


def read(path, content: str) -> tuple[list[list[str]], dict[int, str]]:
    """The cells of the rows that can be read, and what is wrong with the others, by their lines."""
    path.write_text(content, encoding="utf-8", newline="")
    faults = {}
    names = readers.columns(path)
    rows = []
    for batch in readers.batches(path, names, lambda where, message: faults.update({where.line: message})):
        rows += [(where.line, *cells.values()) for where, cells in batch.rows()]
    assert readers.count(path) == len(rows) + len(faults)
    assert all(line > 0 for line, *_ in rows)
    return [list(cells) for _, *cells in rows], faults


STRAY = {3: '"Best of show, said the judge', 4: 'screen of 19"'}


def stray(separator: str, order=(0, 1), rows: int = 12) -> str:
    """A table in which a quotation mark opens in a row and closes in the next."""
    made = [("image", "text"), *((f"photos/{i}.jpg", STRAY.get(i, f"a thing {i}")) for i in range(rows))]
    return "\n".join(separator.join(row[place] for place in order) for row in made) + "\n"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_stray_quotation_mark_in_a_table_with_tabs_is_part_of_the_text(tmp_path, order):
    rows, faults = read(tmp_path / "t.tsv", stray("\t", order))
    assert faults == {}
    texts = {row[order[0]]: row[order[1]] for row in rows}
    assert len(texts) == 12
    assert texts["photos/3.jpg"] == '"Best of show, said the judge'
    assert texts["photos/4.jpg"] == 'screen of 19"'


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_quotation_mark_that_swallows_a_row_is_told_and_the_row_is_read(tmp_path, order):
    rows, faults = read(tmp_path / "t.csv", stray(",", order))
    assert list(faults) == [5]
    assert "a quoted cell has line breaks and separators in it, and line 6 looks like a row" in faults[5]
    assert [row[order[0]] for row in rows] == [f"photos/{i}.jpg" for i in range(12) if i != 3]


def test_a_quotation_mark_that_is_never_closed_costs_one_row(tmp_path):
    lines = ["id,text", *(f"{i},a thing" for i in range(50))]
    lines[9] = '8,"a thing'
    rows, faults = read(tmp_path / "t.csv", "\n".join(lines))
    assert list(faults) == [10]
    assert "a quotation mark opens a cell here that is never closed" in faults[10]
    assert [int(row[0]) for row in rows] == [*range(8), *range(9, 50)]
    lines[30] = '29,a "nice" thing, "and" more'
    assert list(read(tmp_path / "t.csv", "\n".join(lines))[1]) == [10, 31]


def test_line_breaks_in_quoted_cells_are_read_where_no_row_is_in_them(tmp_path):
    texts = ["Red dress, cotton\nMade in Italy, 2020", "12, or so\n13, say", "one\n\ntwo", "photos, 3\nand, jpg"]
    for name, first in (("photos/{}.jpg", "image"), ("{}", "id"), ("dress", "kind")):
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([first, "text"])
        written = [[name.format(i), text] for i, text in enumerate(texts * 5)]
        writer.writerows(written)
        rows, faults = read(tmp_path / "t.csv", file.getvalue())
        assert (faults, rows) == ({}, written)


@pytest.mark.parametrize("text", ["one\ntwo, {}", "a\nb, {}\nc", "a\nb, {}\nc, {}\nd, {}\ne"])
def test_line_breaks_in_all_rows_are_no_rows(tmp_path, text):
    written = [[f"photos/{i}.jpg", text.format(*[i] * 3)] for i in range(40)]
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([["image", "text"], *written])
    rows, faults = read(tmp_path / "t.csv", file.getvalue())
    assert (faults, rows) == ({}, written)


def test_tables_with_tabs_that_are_quoted_are_read_so(tmp_path):
    made = 'id\ttext\n1\t"a ""nice"" thing"\n2\t"with a\ttab"\n3\t"two\nlines"\n4\tplain\n'
    rows, faults = read(tmp_path / "t.tsv", made)
    assert faults == {}
    assert [row[1] for row in rows] == ['a "nice" thing', "with a\ttab", "two\nlines", "plain"]
    rows, faults = read(tmp_path / "t.tsv", 'id\ttext\n1\t"quoted"\n2\tplain\n')
    assert [row[1] for row in rows] == ["quoted", "plain"]
    rows, faults = read(tmp_path / "t.tsv", 'id\ttext\n1\t"Go" she said\n2\t"quoted"\n')
    assert [row[1] for row in rows] == ['"Go" she said', '"quoted"']


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.jpg,a red bar,", "has 3 cells in place of 2: it ends with a separator too many; take it away"),
        ('a.jpg,"a \\"red\\" bar, nice"', 'quotation marks within a cell are written twice, "", not as \\"'),
        ("a.jpg,'a red, bar'", 'has 3 cells in place of 2; cells with separators in them need quotation marks, "like'),
        ('a.jpg,"' + "word " * 30_000 + '"', "has a cell of more than 131,072 characters; shorten it"),
        ("a.jpg", "has 1 cells in place of 2"),
    ],
)
def test_what_is_wrong_with_a_row(tmp_path, row, message):
    rows, faults = read(tmp_path / "t.csv", f"image,text\n{row}\nb.jpg,fine\n")
    assert message in faults[2]
    assert rows == [["b.jpg", "fine"]]


def test_a_first_line_that_names_the_separator(tmp_path):
    rows, faults = read(tmp_path / "t.csv", "sep=;\r\nimage;text\r\na.jpg;one, two\r\nb.jpg;x;y\r\n")
    assert rows == [["a.jpg", "one, two"]]
    assert list(faults) == [4]
    assert readers.columns(tmp_path / "t.csv") == ["image", "text"]


CELLS = st.text(st.sampled_from("ab ,;\"\n\r'1.")).filter(lambda cell: "\r" not in cell)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=8))
def test_what_is_written_by_the_rules_is_read(tmp_path_factory, rows):
    """But for tables in which a cell holds what looks like another row."""
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([("id", "text", "more"), *rows])
    path = tmp_path_factory.mktemp("t") / "t.csv"
    found, faults = read(path, file.getvalue())
    if not faults:
        assert found == [list(row) for row in rows]
    # What follows it is read line by line.
    assert not faults or "looks like a row of its own" in faults[min(faults)]
