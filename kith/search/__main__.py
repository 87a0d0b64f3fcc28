"""Search trained runs by a text, a picture or an item: on the command line, or as a local web page."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from kith.errors import KithError
from kith.search.query import Query, answer
from kith.search.run import Run
from kith.store.prepared import Prepared, data_of

TEXT_WIDTH = 80


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and answer it; a KithError ends the process with its message and status 1."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.serve and options.text is None and options.image is None and options.item is None:
        parser.error("name what to search by: --text, --image or --item; or --serve a page")
    try:
        runs = load(options.run, options.data, options.embed_all)
        if options.serve:
            _serve(runs, options.host, options.port)
        else:
            _search(runs, options)
    except KithError as error:
        if os.environ.get("KITH_TRACEBACK"):
            raise
        sys.exit(f"error: {error}")


def load(folders: list[Path], data: Path | None, embed_all: bool) -> list[Run]:
    """The runs in `folders`; without `data`, prepared data are looked for where the pipeline puts them."""
    prepared = Prepared(data or data_of(folders[0]))
    return [Run(folder, prepared, embed_all) for folder in dict.fromkeys(folders)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kith.search", description=__doc__)
    parser.add_argument(
        "--run", type=Path, nargs="+", required=True, help="folders of runs: runs/<study>/<method>-<seed>"
    )
    parser.add_argument("--data", type=Path, help="their prepared data (default: data/<study>/prepared beside runs/)")
    parser.add_argument("--embed-all", action="store_true", help="search all items, not only those held out")
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument("--text", help="words to search by")
    asked.add_argument("--image", type=Path, help="a picture file to search by")
    asked.add_argument("--item", help="the id of an item to search by")
    parser.add_argument("--side", choices=("image", "text"), help="what to compare with (default: image if any)")
    parser.add_argument("--count", type=_positive, default=10, help="of results (default: 10)")
    parser.add_argument("--one-per-group", action="store_true", help="of each group, only the nearest item")
    parser.add_argument(
        "--invert",
        action=argparse.BooleanOptionalAction,
        help="exchange light and dark of --image (default: grey pictures, where the ground of the data set's differs)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    asked.add_argument("--serve", action="store_true", help="serve a web page")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this computer only)")
    parser.add_argument("--port", type=_port, default=8000, help="(default: 8000)")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number above 0")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"'{text}' is no port: 0 to 65535")
    return int(text)


def _search(runs: list[Run], options: argparse.Namespace) -> None:
    image = None
    if options.image is not None:
        try:
            image = options.image.read_bytes()
        except OSError as error:
            raise KithError(f"{options.image}: {error.strerror}") from None
    wanted = {name: getattr(options, name) for name in ("text", "item", "invert", "side", "count", "one_per_group")}
    answers = [answer(run, Query(image=image, **wanted)) for run in runs]
    if options.json:
        print(json.dumps(answers, indent=2, ensure_ascii=False))
    else:
        print("\n\n".join(table(each) for each in answers))


def _without_beginnings(texts: list[str]) -> list[str]:
    """Those that no other one begins with, as a description does with a name."""
    return [
        text
        for text in texts
        if not any(text != other and other.casefold().startswith(text.casefold()) for other in texts)
    ]


def table(found: dict[str, Any]) -> str:
    """An answer as lines of text."""
    lines = [f"{found['run']}: nearest {found['side']}s"]
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


def _serve(runs: list[Run], host: str, port: int) -> None:
    from kith.search.server import serve

    serve(runs, host, port)


if __name__ == "__main__":
    main()
