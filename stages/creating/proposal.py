"""What a study of these data is made of: encoders that are installed, and methods that fit, in several sizes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kith.encoders.names import SIDES
from kith.encoders.registry import find
from kith.errors import KithError
from stages import params
from stages.creating.facts import Facts
from stages.params.presets import presets
from stages.params.schema import merged

PICTURE_ENCODER, TEXT_ENCODER = "lite0", "minilm"
INSTALL = "pip install -r requirements-pretrained.txt"
PAIRS, CLASSES = "pairs", "classes"
# What each race begins with; the first are the likeliest.
METHODS = {PAIRS: ("infonce", "siglip", "infonce_neighborhood"), CLASSES: ("classifier", "cosine_ce", "supcon")}
WITH_TREE = ("cosine", "hierarchy", "hierarchy_ce", "classifier")
SIZES = {"medium": 1, "small": 0, "large": 2}  # in the order in which they are tried
SCORES = {PAIRS: "mrr", CLASSES: "ahp"}  # what a race is decided by, and its epochs are chosen by
BATCHES = (16, 512)
NEIGHBORS = 50
LEAST_CLASS = 4  # training items of a class, on average: with fewer there is nothing to learn of it


class Candidate(NamedTuple):
    """A method with a size. race: those that are measured alike, by pairs or by classes; method: as a study has it."""

    name: str
    race: str
    preset: str
    method: dict[str, Any]


@dataclass(frozen=True)
class Proposal:
    """sections: of the study, without its methods; baselines: methods without training, as a study has them; first,
    most: epochs of a trial; said: what a user should know of the choice."""

    name: str
    sections: dict[str, Any]
    encoders: dict[str, Any]
    candidates: list[Candidate]
    baselines: dict[str, Any]
    first: int
    most: int
    said: list[str] = field(default_factory=list)

    def content(self, methods: dict[str, Any], epochs: int | None = None, note: str = "") -> dict[str, Any]:
        """The study with these methods, short; epochs: of those that do not say their own."""
        study: dict[str, Any] = {"name": self.name, "methods": list(methods)}
        study |= {"note": note} if note else {}
        study |= {"encoders": self.encoders} if self.encoders else {}
        train = {"epochs": epochs or self.first, **self.sections["train"]}
        return {"study": study, **self.sections, "train": train, "methods": methods}

    @classmethod
    def of(cls, plain: dict[str, Any]) -> "Proposal":
        """What `plain` was made of."""
        return cls(**plain | {"candidates": [Candidate(*each) for each in plain["candidates"]]})

    @property
    def plain(self) -> dict[str, Any]:
        """In plain values, for a file."""
        return vars(self) | {"candidates": [list(each) for each in self.candidates]}

    @property
    def races(self) -> list[str]:
        return list(dict.fromkeys(each.race for each in self.candidates))


class ChosenEncoders(NamedTuple):
    """image, text: the encoder of each side, None where it learns from random numbers; pixels: that the first sees;
    tokens: of a text that the second reads, None: as many as it can."""

    image: str | None
    text: str | None
    pixels: int | None = None
    tokens: int | None = None

    @property
    def options(self) -> dict[str, Any]:
        """As the study has them."""
        found: dict[str, Any] = {}
        if self.image and self.pixels:
            found[self.image] = {"encoder": self.image, "size": self.pixels, "crop": 1.0, "precision": "auto"}
        if self.text:
            found[self.text] = {"encoder": self.text, "precision": "auto"}
            found[self.text] |= {"max_tokens": self.tokens} if self.tokens else {}
        return found


def encoders_for(facts: Facts) -> tuple[ChosenEncoders, list[str]]:
    """Those that are installed and read what there is, and what to say of those that are not."""
    said = []
    image = text = None
    if facts.pictures:
        image = PICTURE_ENCODER if _installed(PICTURE_ENCODER) else None
    if facts.texts:
        text = TEXT_ENCODER if _installed(TEXT_ENCODER) else None
        if text and not facts.english:
            said.append(
                f"the texts do not look English, and {TEXT_ENCODER} reads English: words are learned from your texts; "
                "or name an encoder that knows the language in the study (docs/encoders.md)"
            )
            text = None
    if (facts.pictures and not image) or (facts.texts and facts.english and not text):
        said.append(f"no pretrained encoder of this is installed: for far better answers first {INSTALL}")
    if not facts.pictures and facts.texts and text is None:
        raise KithError(
            "there are texts and no pictures, which takes an encoder of these texts, and none is there: "
            f"{INSTALL} for English; for others write a study with one of docs/encoders.md"
        )
    return ChosenEncoders(image, text), said


def _installed(name: str) -> bool:
    try:
        find(name).check(name)
    except KithError:
        return False
    return True


def propose(
    name: str, fetch: dict[str, Any], facts: Facts, chosen: ChosenEncoders, methods: Sequence[str] | None, threads: int
) -> Proposal:
    """The proposal for data with these facts; methods: presets to try in place of the usual ones.

    Raises KithError where no method can learn from the data, and for presets that are none or do not fit.
    """
    races = _races(facts, methods)
    frozen = bool(chosen.image or chosen.text)
    candidates = [
        Candidate(f"{preset}_{size}", race, preset, _method(preset, race, SIZES[size], chosen, facts))
        for race, presets_of in races.items()
        for size in SIZES
        for preset in presets_of
    ]
    sections = _sections(fetch, facts, frozen, threads)
    lengths = (4, 60) if frozen else (1, 30)
    found = Proposal(name, sections, chosen.options, candidates, _baselines(list(races), chosen), *lengths)
    for each in candidates:
        params.check(found.content({each.name: each.method})).method(each.name)
    return found


def _races(facts: Facts, methods: Sequence[str] | None) -> dict[str, Sequence[str]]:
    """By race the presets that are tried. Raises KithError where there is none."""
    possible = {PAIRS: bool(facts.pictures and facts.texts), CLASSES: 1 < facts.labels <= facts.train / LEAST_CLASS}
    if methods is not None:
        return _given(methods, possible)
    usual = METHODS | ({CLASSES: WITH_TREE} if facts.tree else {})
    races: dict[str, Sequence[str]] = {race: usual[race] for race, can in possible.items() if can}
    if not races:
        classes = f"{facts.labels:,} classes among {facts.train:,} training rows"
        raise KithError(
            f"nothing to learn from: {facts.pictures:,} pictures, {facts.texts:,} texts, {classes}; methods need "
            "pictures with texts, or classes with several rows each; name the columns: --column texts=NAME, "
            "--column label=NAME"
        )
    return races


def _given(methods: Sequence[str], possible: dict[str, bool]) -> dict[str, Sequence[str]]:
    races: dict[str, list[str]] = {}
    for name in methods:
        if not presets()[name].get("losses"):
            raise KithError(f"--methods {name}: is not trained, and so there is nothing to choose of it; leave it out")
        content = {"study": {"name": "x", "methods": [name]}, "fetch": {"source": "table", "path": "x"}}
        method = params.check(params.complete(content | {"train": {"epochs": 1}})).method(name)
        race = PAIRS if method.needs.texts else CLASSES
        if not possible[race]:
            what = "pictures with texts" if race == PAIRS else "classes with several rows each"
            raise KithError(f"--methods {name}: needs {what}, and the data have none; leave it out")
        races.setdefault(race, []).append(name)
    return dict(races)


def _method(preset: str, race: str, size: int, chosen: ChosenEncoders, facts: Facts) -> dict[str, Any]:
    """The preset with towers of this size, 0 to 2."""
    texts = race == PAIRS
    item = chosen.image or (None if facts.pictures else chosen.text)
    train: dict[str, Any] = {"select": SCORES[race]}
    if item:
        train["image"] = {"encoder": item, "tower": "linear" if texts else "residual", "dropout": 0.5}
        train["image"] |= {"encoded": {"log1p": True}} if chosen.image else {}
        train["image"] |= {} if texts else {"hidden": (256, 512, 1024)[size], "layers": 1}
        train["weight_decay"] = 1.0 if texts else 0.1
    else:
        train["image"] = {"tower": "cnn", "width": (16, 32, 64)[size]}
    if texts and chosen.text:
        train["text"] = {"encoder": chosen.text, "tower": "residual", "hidden": (512, 1024, 2048)[size], "layers": 1}
        train["text"] |= {"dropout": 0.2}
    elif texts:
        train["text"] = {"tower": "bag", "embedding": (100, 200, 300)[size], "hidden": (256, 512, 1024)[size]}
    train["dim"] = (256, 512, 1024)[size] if texts and item else (64, 128, 256)[size]
    if preset == "classifier":
        train["head"] = "linear"
    return {"preset": preset, "train": train}


def _baselines(races: list[str], chosen: ChosenEncoders) -> dict[str, Any]:
    """The encoders as they are: the line that training has to beat."""
    found: dict[str, Any] = {}
    if PAIRS in races and chosen.image and chosen.text:
        sides = {side: {"encoder": name} for side, name in zip(SIDES, chosen, strict=False)}
        found["linear_cca"] = {"train": sides}
    if CLASSES in races and (item := chosen.image or chosen.text):
        found[f"{item}_as_it_is"] = {"preset": "as_it_is", "train": {"image": {"encoder": item}}}
    return found


def _sections(fetch: dict[str, Any], facts: Facts, frozen: bool, threads: int) -> dict[str, Any]:
    image: dict[str, Any] = {"size": facts.side or 64, "fill": "border"}
    image |= {"bits": facts.bits} if facts.bits else {}
    prepare: dict[str, Any] = {"image": image} if facts.pictures else {}
    prepare |= {"skip": facts.skip} if facts.skip else {}
    batch = BATCHES[0]
    while batch * 2 <= min(BATCHES[1] if frozen else 128, facts.train / 8):
        batch *= 2
    train: dict[str, Any] = {"batch_size": batch, "lr": 0.001}
    train |= {"schedule": "one_cycle"} if frozen else {"schedule": "cosine"}
    train |= {"precision": "auto", "threads": threads}
    return {
        "fetch": fetch,
        **({"prepare": prepare} if prepare else {}),
        "text": {"backend": "tfidf" if facts.texts else "none"},
        "neighbors": {"k": max(1, min(NEIGHBORS, facts.train // 4))},
        "train": train,
    }


def renamed(candidate: Candidate, epochs: int) -> tuple[str, dict[str, Any]]:
    """The candidate as a method of the final study: by its preset's name, with the epochs that it was given."""
    method = merged(candidate.method, {"train": {"epochs": epochs}})
    method["train"] = {"epochs": epochs} | method["train"]
    del method["preset"]
    return candidate.preset, method


def told(proposal: Proposal) -> str:
    """The candidates in a line."""
    names = ", ".join(dict.fromkeys(each.preset for each in proposal.candidates))
    beside = f"; beside them, without training: {', '.join(proposal.baselines)}" if proposal.baselines else ""
    return f"{names}, each in {len(SIZES)} sizes{beside}"
