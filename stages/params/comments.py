"""Filling in a YAML document that a person wrote, without losing a comment of it."""

from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark
from ruamel.yaml.tokens import CommentToken


def fill(document: Any, content: dict[str, Any]) -> Any:
    """The round-trip `document` with the values of `content`, and with the keys that `content` has more.

    New keys stand behind those that were there; comments stay where they were: one behind a line with that line,
    one between two sections between them.
    """
    if not isinstance(document, CommentedMap):
        return _styled(content)
    new = [key for key in content if key not in document]
    for key in [key for key in document if key not in content]:
        del document[key]
    for key, value in content.items():
        if key not in new:
            old = document[key]
            document[key] = fill(old, value) if isinstance(value, dict) else old if old == value else value
    if new:
        rest = "" if document.fa.flow_style() else _cut(document)
        for key in new:
            document[key] = _styled(content[key])
        if rest:
            _append(document, rest)
    if document.fa.flow_style() and _deep(document):
        document.fa.set_block_style()
    return document


def _styled(value: Any) -> Any:
    """Mappings of single values on a line of their own, others over several lines."""
    if isinstance(value, list):
        row = CommentedSeq(value)
        row.fa.set_flow_style()
        return row
    if not isinstance(value, dict):
        return value
    styled = CommentedMap((key, _styled(each)) for key, each in value.items())
    if not _deep(styled):
        styled.fa.set_flow_style()
    return styled


def _deep(mapping: CommentedMap) -> bool:
    """Whether a line would be hard to read: mappings within it, or much of it."""
    return any(isinstance(each, dict) and each for each in mapping.values()) or len(str(dict(mapping))) > 100


def _last(node: Any) -> tuple[Any, Any]:
    """The mapping or list, and its key or place, of the last line of `node` in its text."""
    key = next(reversed(node)) if isinstance(node, CommentedMap) else len(node) - 1
    value = node[key]
    if isinstance(value, CommentedMap | CommentedSeq) and value and not value.fa.flow_style():
        return _last(value)
    return node, key


def _slot(node: Any) -> int:
    """Where ruamel.yaml keeps the comment that follows a value."""
    return 2 if isinstance(node, CommentedMap) else 0


def _cut(mapping: CommentedMap) -> str:
    """Takes what follows the last line of `mapping`, up to the next section, and returns it."""
    if not mapping:
        return ""
    holder, key = _last(mapping)
    tokens = holder.ca.items.get(key)
    token = tokens[_slot(holder)] if tokens else None
    if token is None:
        return ""
    own, newline, rest = token.value.partition("\n")
    if own.strip():
        tokens[_slot(holder)] = _comment(own + newline, token.start_mark.column)
    else:
        del holder.ca.items[key]
    return rest


def _append(mapping: CommentedMap, rest: str) -> None:
    holder, key = _last(mapping)
    tokens: list[Any] = [None, None, None, None] if isinstance(holder, CommentedMap) else [None, None]
    tokens[_slot(holder)] = _comment("\n" + rest)
    holder.ca.items[key] = tokens


def _comment(text: str, column: int = 0) -> CommentToken:
    return CommentToken(text, CommentMark(column), None)
