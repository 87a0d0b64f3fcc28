"""Lightning's Fabric, loaded without the compiler that it asks for and training does not."""

from kith.training.uncompiled import uncompiled

with uncompiled():
    from lightning_fabric import Fabric

__all__ = ["Fabric"]
