"""Kinds of numbers that options are made of: their bounds, as annotations that a schema can check."""

from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

Positive = Annotated[int, Gt(0)]
Count = Annotated[int, Ge(0)]
Several = Annotated[int, Ge(2)]
AboveZero = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
AtLeastOne = Annotated[float, Ge(1)]
Share = Annotated[float, Ge(0), Le(1)]
NotAll = Annotated[float, Ge(0), Lt(1)]
Acute = Annotated[float, Gt(0), Lt(90)]  # an angle in degrees
Between = Annotated[float, Gt(0), Lt(1)]
SomeOrAll = Annotated[float, Gt(0), Le(1)]
