"""params.yaml for tests: what a test says, made complete."""

from pathlib import Path
from typing import Any

from stages import params
from workflow import yamls


def write_params(content: dict[str, Any], folder: Path = Path()) -> None:
    """Write params.yaml with `content`, which is a study or a params.yaml with changes, into `folder`."""
    (folder / "params.yaml").write_text(yamls.write(params.complete(content)), encoding="utf-8")
