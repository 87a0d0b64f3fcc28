"""Files of the engines that appear whole or not at all, whatever is killed when."""

import os
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Under a temporary name beside `path`, then in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
