"""Texts of the user's in the captions of Snakemake's report, which are reStructuredText."""

import re


def plain(text: object) -> str:
    r"""On one line, and without what reStructuredText obeys there: roles, links, substitutions, emphasis.

    >>> print(plain("free_ :raw:`x`\n\n.. raw:: html"))
    free\_ :raw:\`x\` .. raw:: html
    """
    return re.sub(r"([\\*`_|])", r"\\\1", " ".join(str(text).split()))
