"""Pin the raw data: copy fonts and names, or note what the user's table, arrays or pictures are; download them first,
if that is wanted."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kith.data import sources
from stages import cli, files, params
from stages.download import bring, origin
from stages.params.inputs import holds_results


def main(*, out: Path) -> None:
    """Write source.json, which says what the data are, into a directory; fonts and names are copied beside it."""
    settings = params.load()
    fetch, source = settings.fetch, sources.find(settings.fetch.source)
    if source.recipe:
        bring(fetch)
    with files.replacing_folder(out, "source.json", "fonts/", "names/") as folder:
        pinned = source.pin(fetch.model_dump() | {"index": files.index_of(out)}, folder)
        files.write_json(folder / "source.json", {"source": fetch.source, **pinned, **origin(fetch)})
    if unwatched := _unwatched(settings, pinned):
        print(f"fetch: {unwatched}", file=sys.stderr)


def _unwatched(settings: params.Params, pinned: Mapping[str, Any]) -> str | None:
    """What is said of pictures in files that no engine looks at again."""
    folder = pinned.get("image_root", {}).get("folder")
    if folder is None or settings.inputs is None:
        return None
    watched, inside = settings.inputs.image_root, Path(folder).absolute()
    if any(inside.is_relative_to(place.absolute()) for place in (watched, settings.fetch.path)):
        return None
    if holds_results(folder, settings.study.name):
        return (
            f"the pictures that the table names lie in {folder}, beside results of Kith: a change of one goes unseen; "
            "put the pictures into a folder of their own"
        )
    return (
        f"the pictures that the table names lie in {folder}, and the study does not know it: a change of one goes "
        f"unseen, until `kith study {settings.study.name}` has been run again"
    )


if __name__ == "__main__":
    cli.run(main)
