"""All checks, one after another."""

from collections.abc import Callable, Iterator

from kith.audit.findings import AuditFindings
from kith.audit.judgement import class_labels, pairs_of_sides
from kith.audit.looks import left_out, single_pictures, single_texts
from kith.audit.subject import Subject
from kith.audit.twins import duplicates

Check = Callable[[Subject], Iterator[AuditFindings]]

CHECKS: dict[str, Check] = {
    "duplicates": duplicates,
    "labels": class_labels,
    "pairs": pairs_of_sides,
    "pictures": single_pictures,
    "texts": single_texts,
    "rows left out": left_out,
}
