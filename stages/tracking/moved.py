"""A repository that was copied or moved, with its database: MLflow keeps whole paths, which lead to where it was.

Without this a copy would write its models and figures into the folder of the original.
"""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Where MLflow's tables hold the places of artifacts.
PLACES = {
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "logged_models": "artifact_location",
    "model_versions": "storage_location",
}


def follow(database: Path, study: str, artifacts: Path) -> None:
    """Let all places of the study's old folder `mlruns` lead to `artifacts`, where they do not.

    database: the SQLite file, which may not be there yet. Raises sqlite3.DatabaseError where it cannot be read.
    """
    if not database.exists():
        return
    with closing(sqlite3.connect(database, timeout=5)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "experiments" not in tables:
            return
        query = "SELECT artifact_location FROM experiments WHERE name = ?"
        location = next((place for (place,) in connection.execute(query, (study,))), None)
        former = _parent(location, study)
        if former is None or former == artifacts:
            return
        changes = {former.as_uri(): artifacts.as_uri(), str(former): str(artifacts)}
        with connection:
            for table, column in PLACES.items():
                for old, new in changes.items() if table in tables else ():
                    # substr, for a name may hold what LIKE reads as a sign.
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                        (f"{new}/", len(old) + 2, len(old) + 1, f"{old}/"),
                    )
    print(f"MLflow: {database.name} was in {former.parent}; from now on its files are in {artifacts}", file=sys.stderr)


def _parent(location: str | None, study: str) -> Path | None:
    """The folder `mlruns` of a study's place; None of a place that is not one of Kith's own."""
    if not location or not location.startswith("file:"):
        return None
    path = Path(unquote(urlsplit(location).path))
    return path.parent if path.name == study and path.parent.name == "mlruns" else None
