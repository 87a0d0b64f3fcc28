"""What params.yaml says of its methods, checked: noted, for to check it loads PyTorch, which takes longer than all else
that a stage which only reads them does."""

import contextlib
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kith.data.digests import sha256_of
from workflow import whole

if TYPE_CHECKING:
    from stages.params.schema import Params

NOTE = Path(".dvc/tmp/methods.json")
# All that decides what is right: the schema, and what declares losses, encoders and training.
ROOT = Path(__file__).parents[2]
SOURCES = (Path(__file__).parent, ROOT / "kith")


def told(settings: "Params") -> dict[str, Any]:
    """Method → {"parameters": all of them but those that are nothing, in plain values; "texts", "targets": whether it
    needs these}.

    Taken from the note of whoever checked the same parameters with the same code before, or checked now. Raises
    KithError for what is wrong with any method.
    """
    key = _key(settings)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        noted = json.loads(NOTE.read_text(encoding="utf-8"))
        if noted["of"] == key:
            return noted["methods"]
    methods = {name: _of(settings.method(name)) for name in settings.methods}
    with contextlib.suppress(OSError):  # a note saves time, and no more
        if NOTE.parents[1].is_dir():
            whole.write(NOTE, json.dumps({"of": key, "methods": methods}))
    return methods


def _of(method: Any) -> dict[str, Any]:
    needs = method.needs
    parameters = method.model_dump(mode="json", exclude_none=True)
    return {"parameters": parameters, "texts": needs.texts, "targets": needs.targets}


def _key(settings: "Params") -> str:
    values = settings.model_dump(mode="json", exclude_unset=True)
    return hashlib.sha256(json.dumps([values, _code()]).encode()).hexdigest()


@cache
def _code() -> str:
    """The checksum of the code."""
    files = (path for folder in SOURCES for path in folder.rglob("*") if path.suffix in (".py", ".yaml"))
    return sha256_of(files, ROOT)
