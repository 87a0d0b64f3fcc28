"""Search trained runs by a text, a picture or an item.

On the command line, or as a local web page.
"""

from collections import Counter
from json import dumps
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from kith.data.images import UndecodableImage
from kith.errors import KithError, listed
from kith.indexes import known
from kith.progress import over
from kith.search.index import METHODS
from kith.search.query import Query, answer
from kith.search.run import Run
from kith.store.prepared import Prepared, data_of
from kith.store.run import existing
from stages import cli

TEXT_WIDTH = 80

EmbedAll = Annotated[bool, typer.Option("--embed-all", help="Search all items, as --serve does by itself.")]
HeldOut = Annotated[bool, typer.Option("--held-out", help="Serve only what is held out, as others search.")]
Side = Annotated[
    Literal["image", "text"] | None, typer.Option(help="What to compare with, by default image if there are any.")
]
Inverted = Annotated[
    bool | None,
    typer.Option(
        help="Exchange light and dark of --image, by default of grey pictures where the data set's ground differs."
    ),
]
Searched = Annotated[
    str, typer.Option(help="exact, hnsw, or an index that holds less, such as int8 or pq16 (docs/cost.md).")
]
Token = Annotated[
    str | None, typer.Option(envvar="KITH_TOKEN", help="What visitors of the page have to know; default: nothing.")
]
Names = Annotated[list[str] | None, typer.Option(help="Name that a proxy shows the page by; repeat it for several.")]


def main(
    *,
    run: Annotated[list[Path], typer.Option(help="Folder of a run; repeat it for several.")],
    data: Annotated[Path | None, typer.Option(help="Their prepared data, by default those beside them.")] = None,
    embed_all: EmbedAll = False,
    held_out: HeldOut = False,
    text: Annotated[str | None, typer.Option(help="Words to search by.")] = None,
    image: Annotated[Path | None, typer.Option(help="A picture file to search by.")] = None,
    item: Annotated[str | None, typer.Option(help="The id of an item to search by.")] = None,
    side: Side = None,
    count: Annotated[int, typer.Option(min=1, help="Number of results.")] = 10,
    one_per_group: Annotated[bool, typer.Option("--one-per-group", help="Of each group, only the nearest.")] = False,
    invert: Inverted = None,
    index: Searched = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print JSON in place of a table.")] = False,
    serve: Annotated[bool, typer.Option("--serve", help="Serve a web page.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen on, by default for this computer only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on.")] = 8000,
    token: Token = None,
    name: Names = None,
) -> None:
    """Search trained runs by --text, by --image or by --item, or --serve a page."""
    ways = [text is not None, image is not None, item is not None, serve]
    if sum(ways) != 1:
        raise typer.BadParameter("a search takes one of --text, --image and --item; or --serve a page")
    if embed_all and held_out:
        raise typer.BadParameter("--embed-all searches all items, --held-out those held out: choose one")
    if serve:
        from kith.search.access import checked
        from kith.search.server import serve as serve_page

        checked(token)  # before what takes long
    runs = load(run, data, embed_all or (serve and not held_out), index)
    if serve:
        serve_page(runs, host, port, token=token, names=name or ())
        return
    query = Query(
        text=text, item=item, image=_content(image), invert=invert, side=side, count=count, one_per_group=one_per_group
    )
    try:
        answers = [answer(each, query) for each in runs]
    except UndecodableImage as error:
        raise KithError(f"{image}: {error}") from None
    print(dumps(answers, indent=2, ensure_ascii=False) if json else "\n\n".join(map(table, answers)))


def load(folders: list[Path], data: Path | None, embed_all: bool, index: str = "auto") -> list[Run]:
    """The runs in `folders`; without `data`, prepared data are looked for where the pipeline puts them."""
    if index not in METHODS:
        known(index)
    studies = {data_of(existing(folder)) for folder in folders}
    if data is None and len(studies) > 1:
        raise KithError(
            f"--run: {listed([str(folder) for folder in folders])} are of different data; search them apart"
        )
    prepared = Prepared(data or studies.pop())
    chosen = list(dict.fromkeys(folders))
    runs = [Run(folder, prepared, embed_all, index) for folder in over(chosen, "open", len(chosen), "runs")]
    shared = Counter(run.name for run in runs)
    for run, folder in zip(runs, chosen, strict=True):
        if shared[run.name] > 1:
            run.name = f"{folder.resolve().parent.name}/{run.name}"
    return runs


def _content(image: Path | None) -> bytes | None:
    try:
        return None if image is None else image.read_bytes()
    except OSError as error:
        raise KithError(f"{image}: {error.strerror}") from None


def _without_beginnings(texts: list[str]) -> list[str]:
    """Those that no other one begins with, as a description does with a name."""
    return [
        text
        for text in texts
        if not any(text != other and other.casefold().startswith(text.casefold()) for other in texts)
    ]


def table(found: dict[str, Any]) -> str:
    """An answer as lines of text."""
    more = " (--embed-all: all)" if "held-out" in found["among"] else ""
    lines = [f"{found['run']}: nearest {found['side']}s among {found['among']}{more}"]
    if found.get("suggestion"):
        lines.append(f"did you mean: {found['suggestion']}")
    if found["cut"]:
        lines.append("read the first {:,} of {:,} words".format(*found["cut"]))
    if not found["results"]:
        return "\n".join(
            map(_printable, [*lines, f"no other item has {'a text' if found['side'] == 'text' else 'a picture'}"])
        )
    if found["unknown_words"]:
        lines.append(f"words that the model does not know: {', '.join(found['unknown_words'])}")
    rows = [("", "similarity", "id", "label", "text")]
    for result in found["results"]:
        text = " / ".join(_without_beginnings(result["texts"]))
        text = text if len(text) <= TEXT_WIDTH else text[: TEXT_WIDTH - 1] + "…"
        rows.append((str(result["rank"]), f"{result['similarity']:.3f}", result["id"], result["label"], text))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for rank, similarity, *names, text in rows:
        cells = [rank.rjust(widths[0]), similarity.rjust(widths[1])]
        cells += [name.ljust(width) for name, width in zip(names, widths[2:], strict=True)]
        lines.append("  ".join([*cells, text]).rstrip())
    return "\n".join(_printable(line) for line in lines)


def _printable(line: str) -> str:
    """Without control characters, which a terminal would obey."""
    return "".join(character if character.isprintable() else "�" for character in line)


if __name__ == "__main__":
    cli.run(main)
