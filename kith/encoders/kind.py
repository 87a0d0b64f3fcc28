"""A kind of encoders: one file that says how they are named, what they need, and how they are loaded."""

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import nn

from kith.encoders.encoder import PictureEncoder, TextEncoder
from kith.encoders.names import Side
from kith.errors import KithError

EXTRAS = "pip install -r requirements-pretrained.txt"


class EncoderKind(ABC):
    """Encoders whose names match `pattern`; shown: how they are named, for messages and documentation.

    package: the module that has to be installed, and `install`, how. Its methods raise KithError in one sentence that
    says what is missing and what to do.
    """

    pattern: ClassVar[str]
    shown: ClassVar[str]
    package: ClassVar[str]
    install: ClassVar[str] = EXTRAS

    def sides(self, name: str) -> tuple[Side, ...]:
        """What it reads: pictures, unless a kind says otherwise."""
        return ("image",)

    def check(self, name: str) -> None:
        """Raise KithError where it cannot be loaded, as far as that is known without loading it."""
        if not installed(self.package):
            raise KithError(f"the encoder {name} needs the package {self.package}: {self.install}")

    def requirements(self, name: str) -> list[str]:
        """The packages to install where models with this encoder are used."""
        return [self.package]

    def images(self, name: str) -> PictureEncoder:
        """Its picture side, with its weights, on the CPU."""
        raise KithError(f"the encoder {name} reads texts, not pictures")

    def texts(self, name: str) -> TextEncoder:
        """Its text side, with its weights, on the CPU."""
        raise KithError(f"the encoder {name} reads pictures, not texts")

    @abstractmethod
    def build(self, rebuild: Mapping[str, Any], side: Side) -> nn.Module:
        """The network of a side without its weights, from what `PictureEncoder.rebuild` says."""


def installed(package: str) -> bool:
    """Whether a package can be found; it is not imported.

    >>> installed("torch"), installed("no_such_package")
    (True, False)
    """
    return importlib.util.find_spec(package) is not None
