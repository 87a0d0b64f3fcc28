"""Texts that begin with a header, as e-mails and articles of news groups do: names of machines, and no content.

Internet Message Format, RFC 5322; articles, RFC 5536: lines of `Name: value`, of which indented ones go on with the
line before, up to an empty line.
"""

import re
from collections.abc import Sequence

FIELD = re.compile(r"(?P<name>[!-9;-~]+):(?P<value>.*)")  # printable, but for the colon
KNOWN = {"from", "subject", "date", "newsgroups", "message-id", "path", "received", "to"}
LEAST = 2  # fields of KNOWN that a header has
MOST = 0.8  # share of texts with one, from which a table is one of messages


def are_messages(texts: Sequence[str]) -> bool:
    """Whether nearly all texts begin with a header."""
    return bool(texts) and sum(_header(text) is not None for text in texts) >= MOST * len(texts)


def content(text: str) -> str:
    """The subject and what comes after the header; a text without one as it is.

    >>> content("From: a@b.c\\nSubject: Re: ice\\nX-Of: far\\n  away\\n\\nIt melts.")
    'ice\\nIt melts.'
    >>> content("To be: or not"), content("From: here")
    ('To be: or not', 'From: here')
    """
    found = _header(text)
    if found is None:
        return text
    subject, body = found
    return f"{subject}\n{body}".strip()


def _header(text: str) -> tuple[str, str] | None:
    """The subject and the rest of a text that begins with a header."""
    fields: dict[str, str] = {}
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    for line in head.split("\n"):
        if match := FIELD.match(line):
            fields[match["name"].lower()] = match["value"].strip()
        elif not (fields and line[:1] in (" ", "\t")):
            return None
    if len(KNOWN & fields.keys()) < LEAST:
        return None
    subject = re.sub(r"^(re:\s*)+", "", fields.get("subject", ""), flags=re.IGNORECASE)
    return subject, body
