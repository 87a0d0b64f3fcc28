"""The first look: what was brought, which encoders read it how fast, how much of it fits into the time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from kith.data import images, readers
from kith.data.loader import Loader
from kith.data.rows import Columns, listed_texts
from kith.errors import KithError
from stages.creating import budget, columns, engines, facts, messages, sampling
from stages.creating.brought import Brought, recognise, stamp
from stages.creating.facts import Facts
from stages.creating.proposal import ChosenEncoders, Proposal, encoders_for, propose
from stages.creating.tables import TABLES, Tables

FIRST = 1000  # rows
WORDS = 0.75  # of English a token, about
MEASURING = "measuring how fast encoders read here, then reading every row"


@dataclass(frozen=True)
class Wanted:
    """What a user asked for, as far as the study depends on it."""

    path: Path
    name: str
    minutes: float
    methods: list[str] | None = None
    column: tuple[str, ...] = ()
    taxonomy: Path | None = None

    @property
    def plain(self) -> dict[str, Any]:
        """As JSON gives it back, and by what it is seen that the data are others now."""
        return {name: _plain(value) for name, value in vars(self).items()} | {"stamp": stamp(self.path)}


def look(asked: Wanted, tables: Tables) -> tuple[Proposal, Facts, str]:
    """The proposal, the facts that it is for, and the source of the data; what is seen is printed.

    tables: where tables are made, to be kept or not. Raises KithError for all that is known to be wrong.
    """
    brought = recognise(asked.path, asked.name, tables.folder)
    _say(brought.told)
    if brought.is_table:
        return _table(asked, brought, tables)
    if asked.column or asked.taxonomy:
        raise KithError(f"--column and --taxonomy are for tables, and {brought.path} is of {brought.source}")
    found = facts.of_listing(brought)
    chosen, said = encoders_for(found)
    threads = _threads(chosen)
    fit, _ = _fit(asked, found, [], chosen, threads)
    fetch = {"source": brought.source, "path": brought.path.as_posix()}
    if fit.share < 1:
        said.append(
            f"to encode all pictures takes about {fit.seconds / fit.share / 60:.0f} minutes, more than there are; "
            "write a table of fewer to have it sooner"
        )
    return _proposed(asked, fetch, found, _at(chosen, fit), said, threads), found, brought.source


def _table(asked: Wanted, brought: Brought, tables: Tables) -> tuple[Proposal, Facts, str]:
    named, lines = columns.of_table(brought.path, list(asked.column))
    _say(lines)
    root = brought.image_root or columns.image_root(brought.path, named)
    first, texts = _first(brought.path, named, root)
    if not first.rows:
        raise KithError(f"{brought.path}: the table has no rows")
    chosen, said = encoders_for(first)
    edit = messages.content if messages.are_messages(texts) else None
    threads = _threads(chosen)
    fit, cut = _fit(asked, first, [edit(text) for text in texts] if edit else texts, chosen, threads)
    brought = replace(brought, image_root=root)
    if fit.share < 1 or edit:
        out = tables.folder / f"{asked.name}_{'sample' if fit.share < 1 else 'messages'}.parquet"
        taken = sampling.sample(brought.path, named, fit.share, out, edit or str)
        said += _told_of_sample(asked, fit, taken, first.rows, out, bool(edit))
        # Paths of pictures are relative to the folder of the table that they were in.
        home = brought.path if brought.path.is_dir() else brought.path.parent
        brought = Brought("table", out, (root or home) if named.image else None)
    fetch = columns.fetch(brought.path, named, brought.image_root, asked.taxonomy)
    found = facts.of_table(brought, named, fetch.get("splits", {}), asked.taxonomy, asked.path)
    fetch["path"] = tables.named(brought.path).as_posix()
    return _proposed(asked, fetch, found, _at(chosen, fit), said + cut, threads), found, "table"


def _told_of_sample(
    asked: Wanted, fit: budget.Fit, taken: sampling.Sampled, rows: int, out: Path, edited: bool
) -> list[str]:
    said, place = [], TABLES / out.name
    if edited:
        said.append(
            "the texts begin with headers, as e-mails have: only the subject and what follows the header is taken, "
            f"into {place}"
        )
    if fit.share < 1:
        said.append(
            f"{rows:,} rows take about {fit.seconds / fit.share / 60:.0f} minutes to encode: {taken.rows:,} of them "
            f"are sampled into {place}; for all of them give --minutes {_enough(asked, fit)}"
        )
    if taken.faulty:
        said.append(f"left out: {taken.faulty:,} rows that cannot be read, such as {taken.fault}")
    return said


def _at(chosen: ChosenEncoders, fit: budget.Fit) -> ChosenEncoders:
    """The encoders, which see so many pixels and read so many tokens."""
    return chosen._replace(pixels=fit.pixels, tokens=fit.tokens)


def _enough(asked: Wanted, fit: budget.Fit) -> int:
    return round(fit.seconds / fit.share / budget.ENCODING / 60 + 1)


def _first(path: Path, named: Columns, root: Path | None) -> tuple[Facts, list[str]]:
    """Roughly what there is, by the first rows, and their texts."""
    rows, texts, sides, seen = readers.count(path), list[str](), list[int](), 0
    loader = Loader(root or (path if path.is_dir() else path.parent), 32, "RGB", "pad")
    wanted = [*named.texts, *([named.image] if named.image else [])]
    for batch in readers.batches(path, wanted, lambda *_: None) if wanted else ():
        for column in named.texts:
            texts += [each for cell in batch[column] for each in _texts(cell)]
        if named.image:
            sizes = [images.size(loader.read(cell)) for cell in batch[named.image][:8]]
            sides += [min(size) for size in sizes if size]
        seen += len(batch.where)
        if seen >= FIRST:
            break
    side = sorted(sides)[len(sides) // 2] if sides else 0
    english = facts.is_english(pa.array(texts, pa.string())) if texts else True
    many = round(len(texts) / max(1, seen) * rows)
    return Facts(rows, many, rows if named.image else 0, 0, False, rows, side=side, english=english), texts


def _texts(cell: Any) -> list[str]:
    found = listed_texts(cell)
    return [each for each in (found if isinstance(found, list) else [found]) if isinstance(each, str) and each.strip()]


def _threads(chosen: ChosenEncoders) -> int:
    """That each stage computes with."""
    _say([MEASURING] if chosen.image or chosen.text else [])
    from stages.creating import speed  # loads torch

    return speed.best_threads(min(engines.cores(), budget.THREADS))


def _fit(
    asked: Wanted, found: Facts, texts: Sequence[str], chosen: ChosenEncoders, threads: int
) -> tuple[budget.Fit, list[str]]:
    """How much of it is encoded, and what to say of that."""
    from stages.creating import speed  # loads torch

    seconds = 60 * asked.minutes
    picture = speed.picture_seconds(chosen.image, threads) if chosen.image else None
    text = speed.TextSpeed(chosen.text, texts, threads) if chosen.text and texts else None
    at_once = engines.cores() >= 2 * threads  # then the engine runs two stages
    fit = budget.fit(found.rows, found.texts / found.rows, picture, text, found.side, seconds, at_once=at_once)
    if text is None or not fit.tokens:
        return fit, []
    if not (longer := text.longer(fit.tokens)):
        return fit._replace(tokens=None), []  # all are read whole
    words = round(fit.tokens * WORDS, -1)
    return fit, [f"of each text {chosen.text} reads about the first {words:.0f} words; {longer:.0%} are longer"]


def _proposed(
    asked: Wanted, fetch: dict[str, Any], found: Facts, chosen: ChosenEncoders, said: list[str], threads: int
) -> Proposal:
    _say(found.lines)
    proposal = propose(asked.name, fetch, found, chosen, asked.methods, threads)
    _say(said)
    return replace(proposal, said=said)


def _say(lines: Sequence[str]) -> None:
    print(*(f"  {line}" for line in lines), sep="\n", flush=True) if lines else None


def _plain(value: Any) -> Any:
    return value.as_posix() if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
