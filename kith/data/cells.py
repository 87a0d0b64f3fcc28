"""Tables as CSV that every reader takes for what they are, whatever line ends are in their cells."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd


def lines_of_csv(rows: Iterable[Sequence[Any]]) -> str:
    """Rows as CSV with a line each that ends in \\n. Cells with \\r alone are quoted too: where lines end in \\n, the
    csv module of Python before 3.13, and so pandas, leave them bare, and readers take them for the end of a line.

    >>> lines_of_csv([["id", "text"], [1, "one\\rtwo"], [2, None]])
    'id,text\\n1,"one\\rtwo"\\n2,\\n'
    """
    found, line = [], io.StringIO()
    writer = csv.writer(line)  # its lines end in \r\n, so that it quotes both
    for row in rows:
        writer.writerow(row)
        found.append(line.getvalue().removesuffix("\r\n"))
        line.seek(0)
        line.truncate()
    return "".join(f"{each}\n" for each in found)


def frame_as_csv(frame: pd.DataFrame) -> str:
    """The columns of a table without its index, as `lines_of_csv`: "" for what is missing.

    >>> frame_as_csv(pd.DataFrame({"text": ["a\\rb", "c"], "score": [0.5, None]}))
    'text,score\\n"a\\rb",0.5\\nc,\\n'
    """
    values = frame.astype(object).where(frame.notna(), None)
    return lines_of_csv([list(frame), *values.itertuples(index=False, name=None)])
