"""The losses that an objective is made of, with their weights and options: as kith.losses declares them."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, create_model

from kith.losses import LOSSES
from stages.params.base import Choices, Positive
from stages.params.derived import section


class Terms(Choices):
    """Terms of the objective; those given are summed with their weights. matryoshka: widths, such as [32, 64], at which
    the first numbers of an embedding are to be an embedding too; the losses are averaged over them and the whole."""

    matryoshka: Annotated[list[Positive], Field(min_length=1)] | None = None

    def terms(self) -> dict[str, dict[str, Any]]:
        """Name of the loss → its parameters, for those with a weight above zero."""
        given = {name: values for name, values in self.model_dump(exclude={"matryoshka"}).items() if values is not None}
        return {name: values for name, values in given.items() if values["weight"] > 0}


if TYPE_CHECKING:
    Losses = Terms
else:
    Losses = create_model(
        "Losses",
        __base__=Terms,
        __doc__=Terms.__doc__,
        **{name: (section(loss.options_type()) | None, None) for name, loss in LOSSES.items()},
    )
