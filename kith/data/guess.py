"""Guessing which column of a table holds what, from names and the first rows."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kith.data import readers, splits
from kith.data.labels import word
from kith.data.listing import is_picture_name
from kith.data.rows import Columns

ROWS = 1000
MOST_SPLITS = 10
KEPT = 300  # characters or bytes of a cell that are looked at

PICTURE = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*")
LEVEL = re.compile(r"(.*\D)_?(\d)")  # category1, level_2, …
HINT = re.compile("label|level|categ|class|taxon|kind|type|species|genus|dep(artmen)?t|section|sector")
NUMERIC = re.compile(r"[-+]?\d+([.,]\d+)?|true|false|yes|no", re.IGNORECASE)
PICTURES = re.compile(r"(.*[_ ])?(images?|imgs?|pictures?|pics?|photos?)([_ ](path|file|name|url|id))?")
BASE64 = re.compile(r"(data:image/[\w+.-]+;base64,)?[A-Za-z0-9+/\s]{100,}={0,2}")
NAMED = {
    "id": re.compile(r"(.*[_ ])?(id|sku|key|uuid|guid|asin|isbn|ean|number|no)"),
    "label": re.compile(r"(.*[_ ])?(label|class|category|kind|type|species|breed|genre|target)([_ ]?name)?"),
    "group": re.compile(r"(.*[_ ])?(group|group_id|cluster|family|product_id|parent_id|parent)"),
    "split": re.compile(r"(.*[_ ])?(split|subset|partition)|is_?(train|training|test|val|validation)"),
    "fold": re.compile(r"(.*[_ ])?fold"),
    "texts": re.compile(r"(.*[_ ])?(texts?|titles?|name|captions?|desc|description|sentences?|summary|body|comments?)"),
}


@dataclass(frozen=True)
class Seen:
    """A column and the cells of its first rows that are not empty."""

    name: str
    cells: list[Any]

    @property
    def words(self) -> list[str]:
        return [word(cell) for cell in self.cells]

    @property
    def single(self) -> bool:
        """Whether all cells are single values that can be written as text."""
        return bool(self.cells) and not any(isinstance(cell, list | dict | bytes) for cell in self.cells)

    @property
    def distinct(self) -> int:
        return len(set(self.words))

    def called(self, field: str) -> bool:
        return NAMED[field].fullmatch(self.name.lower()) is not None


def guess(path: Path, given: dict[str, Any]) -> tuple[Columns, dict[str, str]]:
    """The columns of the table at `path`, those `given` (field of Columns → column, None: there is none) as they are;
    and for each field that was guessed the reason.

    Raises KithError for a file that is no table.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "shop.csv")
    ...     lines = [f"{i},{i}.jpg,a blue hat" for i in range(9)]
    ...     _ = path.write_text("\\n".join(["sku,photo,title", *lines]))
    ...     columns, reasons = guess(path, {})
    >>> columns.id, columns.image, columns.texts, reasons["image"]
    ('sku', 'photo', ['title'], '100% names of picture files')
    """
    taken = {name for value in given.values() for name in ([value] if isinstance(value, str) else value or [])}
    every = [seen for seen in _look(path) if seen.cells]
    free = [seen for seen in every if seen.name not in taken]
    ids = [seen for seen in every if seen.name == given.get("id")]  # names of files may be both
    found: dict[str, Any] = {"image": None, "texts": [], **given}
    reasons: dict[str, str] = {}
    for field, search in SEARCHES.items():
        ruled_out = (field == "label" and found.get("categories")) or (field == "categories" and found.get("label"))
        if field in given or ruled_out:
            continue
        names, reason = search(free + ids if field == "image" else free)
        if names:
            found[field] = names if field in ("texts", "categories") else names[0]
            reasons[field] = reason
            free = [seen for seen in free if seen.name not in names]
    images = [seen for seen in every if seen.name == found["image"]]
    ruled_out = "group" in given or found.get("group") or found.get("split")
    if not ruled_out and (reason := "".join(map(_of_one_picture, images))):
        found["group"], reasons["group"] = found["image"], reason
    return Columns(**found), reasons


def unused(path: Path, columns: Columns) -> list[str]:
    """What is to be said of columns that hold pictures or texts in a way that is not read.

    Raises KithError for a file that is no table.
    """
    taken = {name for _, name in columns.named()}
    return [line for seen in _look(path) if seen.cells and seen.name not in taken for line in _unread(seen, columns)]


def _unread(seen: Seen, columns: Columns) -> Iterator[str]:
    first = next(iter(seen.cells))
    inner = first[0] if isinstance(first, list) and first else first
    if _is_picture(inner):
        if inner is not first:
            yield f"column '{seen.name}' holds several pictures in a row; write a row for each, with a column of groups"
    elif isinstance(inner, dict | tuple):
        fields = f" ({', '.join(map(str, inner))})" if isinstance(inner, dict) else ""
        yield f"column '{seen.name}' holds objects{fields}, which are not read; write a column for each of their fields"
    elif isinstance(inner, str) and BASE64.fullmatch(inner):
        yield f"column '{seen.name}' holds pictures as base64; write files, or the bytes into a Parquet table"
    elif columns.image is None and PICTURES.fullmatch(seen.name.lower()):
        said = " ".join(str(inner).split())[:40]
        yield (
            f"column '{seen.name}' is not taken for pictures: '{said}' does not end as picture files do; if it is one, "
            f"--image {seen.name}"
        )


Found = tuple[list[str], str]  # columns and the reason why


def _look(path: Path) -> list[Seen]:
    cells: dict[str, list[Any]] = {name: [] for name in readers.columns(path)}
    rows = 0
    for batch in readers.batches(path, list(cells), lambda *_: None):
        for name, values in batch.items():
            cells[name] += [_shorter(value) for value in values if value == value and value not in (None, "", [])]
        rows += len(batch.where)
        if rows >= ROWS:
            break
    return [Seen(name, values) for name, values in cells.items()]


def _shorter(cell: Any) -> Any:
    if isinstance(cell, dict):
        return {key: _shorter(value) for key, value in cell.items()}
    return cell[:KEPT] if isinstance(cell, str | bytes) else cell


def _image(free: Sequence[Seen]) -> Found:
    for seen in free:
        if (share := sum(map(_is_picture, seen.cells)) / len(seen.cells)) > 0.5:
            what = "names of picture files" if isinstance(seen.cells[0], str) else "encoded pictures"
            return [seen.name], f"{share:.0%} {what}"
    return [], ""


def _is_picture(cell: Any) -> bool:
    if isinstance(cell, dict):
        return _is_picture(cell.get("bytes") or cell.get("path"))
    if isinstance(cell, bytes):
        return cell.startswith(PICTURE)
    return isinstance(cell, str) and is_picture_name(cell.strip())


def _split(free: Sequence[Seen]) -> Found:
    for seen in free:
        values = set(seen.words) if seen.single else set()
        meant = [value for value in values if splits.known(value) or splits.suggestion(value) != "ignore"]
        # A class may be called Train: with other classes beside it, it is one.
        enough = len(meant) >= min(2, len(values)) or seen.called("split")
        if meant and enough and len(values) <= MOST_SPLITS:
            return [seen.name], f"values {', '.join(sorted(values))}"
    return _first(seen for seen in free if seen.single and seen.called("split") and 1 < seen.distinct <= MOST_SPLITS)


def _categories(free: Sequence[Seen]) -> Found:
    levels = [(match[1], int(match[2]), seen) for seen in free if (match := LEVEL.fullmatch(seen.name))]
    for stem in dict.fromkeys(stem for stem, _, _ in levels):
        columns = sorted((number, seen.name) for of, number, seen in levels if of == stem and seen.single)
        hinted = re.search("level|categ|class|taxon", stem.lower())
        if hinted and len(columns) > 1:
            return [name for _, name in columns], "levels by their names, from the widest to the narrowest"
    return _nested(free)


def _nested(free: Sequence[Seen]) -> Found:
    """The longest chain of columns of few words, one of which is named like classes, where each value lies in one of
    the next wider column."""
    few = [seen for seen in free if _is_level(seen)]
    chains = [_widened([seen], few) for seen in few]
    named = [chain for chain in chains if any(HINT.search(seen.name.lower()) for seen in chain)]
    best = max(named, key=lambda chain: (len(chain), chain[-1].distinct), default=[])
    if len(best) < 2:
        return [], ""
    return [seen.name for seen in best], f"each {best[-1].name} is in one {best[-2].name}"


def _is_level(seen: Seen) -> bool:
    """Whether a column may hold categories: few words, which come again, and are no numbers."""
    if not seen.single or not 1 < seen.distinct <= len(seen.cells) / 3 or any(map(seen.called, ("id", "group"))):
        return False
    return _words_each(seen) <= 3 and not any(NUMERIC.fullmatch(each) for each in set(seen.words))


def _widened(chain: list[Seen], few: Sequence[Seen]) -> list[Seen]:
    """The chain with the wider columns in front that the first one's values lie in."""
    first = chain[0]
    wider = [seen for seen in few if seen.distinct < first.distinct and _within(first, seen)]
    return _widened([max(wider, key=lambda seen: seen.distinct), *chain], few) if wider else chain


def _within(narrow: Seen, wide: Seen) -> bool:
    """Whether each value of one column stands beside a single value of the other in all rows."""
    pairs = set(zip(narrow.words, wide.words, strict=True)) if len(narrow.cells) == len(wide.cells) else set()
    return len(pairs) == narrow.distinct


def _label(free: Sequence[Seen]) -> Found:
    repeated = [seen for seen in free if seen.single and 1 < seen.distinct < len(seen.cells)]
    for seen in repeated:
        if seen.called("label"):
            return [seen.name], f"by its name; {seen.distinct} different values in {len(seen.cells)} rows"
    few = [seen for seen in repeated if isinstance(seen.cells[0], str) and seen.distinct <= len(seen.cells) / 3]
    short = [seen for seen in few if _words_each(seen) <= 3 and not any(map(seen.called, NAMED))]
    if not short:
        return [], ""
    best = min(short, key=lambda seen: seen.distinct)
    return [best.name], f"{best.distinct} different values in {len(best.cells)} rows"


def _of_one_picture(image: Seen) -> str:
    """Why the column of the pictures' files says too which rows belong together, where it does: names come again."""
    if not all(isinstance(cell, str) for cell in image.cells) or image.distinct == len(image.cells):
        return ""
    return f"{image.distinct:,} pictures in {len(image.cells):,} rows; rows of one picture belong together"


def _group(free: Sequence[Seen]) -> Found:
    return _first(seen for seen in free if seen.single and seen.called("group") and seen.distinct < len(seen.cells))


def _id(free: Sequence[Seen]) -> Found:
    return _first(seen for seen in free if seen.single and seen.called("id") and seen.distinct > 0.9 * len(seen.cells))


def _texts(free: Sequence[Seen]) -> Found:
    names = []
    for seen in free:
        flat = [text for cell in seen.cells for text in (cell if isinstance(cell, list) else [cell])]
        strings = [text for text in flat if isinstance(text, str) and "://" not in text]
        if len(strings) > len(flat) / 2 and (seen.called("texts") or _words_each(Seen(seen.name, strings)) >= 2):
            names.append(seen.name)
    return names, "words" if names else ""


def _first(columns: Iterator[Seen]) -> Found:
    seen = next(columns, None)
    return (
        ([seen.name], f"by its name; {seen.distinct} different values in {len(seen.cells)} rows") if seen else ([], "")
    )


def _words_each(seen: Seen) -> float:
    return sum(len(text.split()) for text in seen.words) / max(1, len(seen.cells))


# In the order in which columns are given away.
SEARCHES = {
    "image": _image,
    "split": _split,
    "categories": _categories,
    "id": _id,
    "label": _label,
    "group": _group,
    "texts": _texts,
}
