"""Pin the raw data: copy fonts and names, or note what the user's table, arrays or pictures are; download them first,
if that is wanted."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kith.data import sources
from stages import cli, files, params
from stages.download import bring, origin


def main(*, out: Path) -> None:
    """Write source.json, which says what the data are, into a directory; fonts and names are copied beside it."""
    fetch = params.load().fetch
    source = sources.find(fetch.source)
    if source.recipe:
        bring(fetch)
    with files.replacing_folder(out, "source.json", "fonts/", "names/") as folder:
        pinned = source.pin(fetch.model_dump(), folder)
        files.write_json(folder / "source.json", {"source": fetch.source, **pinned, **origin(fetch)})
    if unwatched := _unwatched(fetch, pinned):
        print(f"fetch: {unwatched}", file=sys.stderr)


def _unwatched(fetch: params.Fetch, pinned: Mapping[str, Any]) -> str | None:
    """What is said of pictures in files that no engine looks at again."""
    beside = pinned.get("image_root")
    if beside is None or fetch.image_root is not None:
        return None
    return (
        f"the table names pictures in files, and a change of one goes unseen; with fetch.image_root: {beside['path']} "
        "their folder is watched"
    )


if __name__ == "__main__":
    cli.run(main)
