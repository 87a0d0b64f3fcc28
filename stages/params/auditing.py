"""What is looked for in the data themselves."""

from typing import Annotated

from pydantic import Field

from stages.params.base import Count, Name, Positive, Section

Likeness = Annotated[float, Field(gt=0, le=1)]


class Audit(Section):
    """The stage audit, which is there if a study has this section. image, text: encoders of study.encoders whose
    features are used, by default those that the methods take, else pixels and words; near_pictures, near_texts: how
    alike pictures and texts have to be, to be told as nearly equal; folds: in which labels and pairs are judged; most:
    findings of a kind that are listed."""

    image: Name | None = None
    text: Name | None = None
    near_pictures: Likeness = 0.9
    near_texts: Likeness = 0.8
    folds: Annotated[int, Field(ge=2)] = 5
    most: Positive = 1000
    seed: Count = 0
