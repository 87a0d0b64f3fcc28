"""Pin the raw data: copy fonts and names, or note what the user's table, arrays or pictures are; download them first,
if that is wanted."""

from pathlib import Path

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


if __name__ == "__main__":
    cli.run(main)
