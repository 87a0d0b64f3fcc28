"""The published methods that a study may name, as compositions: what presets.yaml says."""

import functools
from pathlib import Path
from typing import Any

from workflow import yamls

FILE = Path(__file__).with_name("presets.yaml")


@functools.cache
def presets() -> dict[str, Any]:
    """Name of a published method → what it is made of."""
    return yamls.read(FILE.read_text(encoding="utf-8"), str(FILE))
