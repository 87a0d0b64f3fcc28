"""Single columns of a table with new rows, in the words in which `prepare` reads them."""

from collections.abc import Iterator

from kith.data import readers
from kith.data.labels import whole, word
from kith.data.rows import is_nothing
from kith.inference.given import GivenInput, GivenRow


def ids(source: GivenInput) -> list[str]:
    """The id of each row; of one that cannot be read an empty one."""
    return [row.id or "" for row in _light(source, None)]


def words(source: GivenInput, column: str) -> list[str]:
    """The word in `column` of each row, of a class its name; empty where there is none.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "table.csv"
    ...     _ = path.write_text("text,kind" + chr(10) + "a,3.0" + chr(10) + "b,NA" + chr(10) + "c,4")
    ...     words(GivenInput(path, {"text": "text"}), "kind")
    ['3', '', '4']
    """
    called = readers.class_names(source.path, column)
    found = [word(row.cells.get("text")) for row in _light(source, column)]
    mended = whole([each for each in found if not is_nothing(each)]) | called
    return ["" if is_nothing(each) else mended.get(each, each) for each in found]


def _light(source: GivenInput, column: str | None) -> Iterator[GivenRow]:
    """All rows, of which no picture is read: their ids, and `column` in the place of the text."""
    if source.path.is_dir():
        return source.rows()
    named = {"id": source.columns["id"]} if "id" in source.columns else {}
    other = column or source.columns.get("text") or (None if named else source.columns["image"])
    return GivenInput(source.path, named | ({} if other is None else {"text": other})).rows()
