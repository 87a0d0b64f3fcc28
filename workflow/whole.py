"""Files of the engines that appear whole or not at all, whatever is killed when."""

import contextlib
import os
from pathlib import Path

from kith.data.temporary import beside


def write(path: Path, text: str) -> None:
    """Under a temporary name beside `path`, then in its place; what killed processes have left beside it goes.

    Raises OSError that names `path`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = beside(path)
        try:
            temporary.write_text(text, encoding="utf-8")
            os.replace(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise
