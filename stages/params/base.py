"""What every section is: closed to unknown keys, and frozen; and the kinds of numbers and names in them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]
NAME = r"^[A-Za-z0-9][A-Za-z0-9_]*$"
Name = Annotated[str, Field(pattern=NAME)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def parameters(self) -> list[str]:
        """Names of what a complete params.yaml gives in this section: by default all of it."""
        return list(type(self).model_fields)


class Choices(Section):
    """A section of parts that are there or not; a complete file has those that are there."""

    def parameters(self) -> list[str]:
        return [name for name in type(self).model_fields if getattr(self, name) is not None]
