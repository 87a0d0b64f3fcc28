"""The encoders that the runs of a study start from, as the runs note them."""

from pathlib import Path
from typing import Any

from kith.store.provenance import TRAINED, read
from stages import params

READS = {"image": "pictures", "text": "texts"}


def of_runs(study: params.Study, runs: Path) -> list[str]:
    """A line an encoder and what it reads, in the order in which methods name them."""
    lines: dict[str, None] = {}
    for method in study.methods:
        note = read(runs / f"{method}-{study.seeds[0]}" / TRAINED, "train")
        lines |= {line(note[key], side): None for side in READS if (key := f"{side}_encoder") in note}
    return list(lines)


def line(encoder: dict[str, Any], side: str) -> str:
    """An encoder, its size, revision and licence.

    >>> line({"name": "lite0", "parameters": 4_652_008, "revision": "0.1.0", "licence": "Apache-2.0"}, "image")
    'lite0 for pictures (4.7 million parameters, revision 0.1.0, Apache-2.0)'
    """
    facts = [f"{encoder['parameters'] / 1e6:.1f} million parameters"]
    facts += [f"at {encoder['preprocessing']['size']} pixels"] if "preprocessing" in encoder else []
    facts += [f"revision {encoder['revision']}", encoder["licence"]]
    trained = ", trained on," if encoder.get("finetuned") else ""
    return f"{encoder['name']}{trained} for {READS[side]} ({', '.join(facts)})"
