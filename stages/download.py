"""Get the data set of params.yaml from its publisher.

`dvc repro` and `snakemake` need it to be there.
"""

import sys
from pathlib import Path
from typing import Any

from kith.data import sources
from kith.data.obtain import missing, obtain
from kith.errors import KithError
from stages import cli, files, params


def main() -> None:
    """Download what `fetch` in params.yaml names, if there is nothing at fetch.path and fetch.download is set."""
    cli.if_interrupted("the same command goes on where the download ended")
    bring(params.load().fetch)


def bring(fetch: params.Fetch) -> None:
    """See that there is something at fetch.path. Raises KithError with what to do where there is nothing.

    What was downloaded is noted in <downloads>/<source>.json.
    """
    if fetch.path.exists():
        return
    source = sources.find(fetch.source)
    if not fetch.download:
        raise KithError(missing(source, fetch.path))
    record = obtain(source, fetch.path, fetch.downloads, offline=fetch.offline)
    files.write_json(_note(fetch), record)
    for file in record["files"]:
        pinned = "" if file["pinned"] else " (not pinned: no checksum of it is known to Kith)"
        print(f"{file['name']}: {file['bytes']:,} bytes, {file['checksum']}{pinned}", file=sys.stderr)
    print(f"{fetch.path}: the data set {fetch.source}; terms: {record['licence']}", file=sys.stderr)


def origin(fetch: params.Fetch) -> dict[str, Any]:
    """What source.json says of the origin of a data set that was downloaded to fetch.path; else nothing."""
    note = _note(fetch)
    record = files.read_json(note, "run kith download again") if note.is_file() else {}
    if record.get("path") != fetch.path.as_posix():
        return {}
    return {"home": record["home"], "downloaded": record["files"]}


def _note(fetch: params.Fetch) -> Path:
    return fetch.downloads / f"{fetch.source}.json"


if __name__ == "__main__":
    cli.run(main)
