"""What a source of data says of itself: where it comes from, on what terms, and which options it takes.

A source is made in one file of kith/data/sources. Nothing heavy is imported at the top of such a file: the schema of
params.yaml reads them all.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from kith.data.digests import digest_of
from kith.errors import KithError

if TYPE_CHECKING:
    from kith.data.items import Dataset
    from kith.data.store import Sink

Options = Mapping[str, Any]  # a section of params.yaml, with all its parameters
# words: the text side is written, and not features; labels: items have several labels each.
Holding = Literal["image", "text", "words", "label", "labels"]

NOT_STATED = "not stated"  # the licence that a user leaves to the source
DOWNLOADING = frozenset({"download", "offline", "downloads"})


class File(NamedTuple):
    """A file that can be downloaded. `checksum`: "md5:…" or "sha256:…", empty where none is known (not pinned);
    `bytes`: its size, 0 where not known. `root`: of an archive, the folder in it that is unpacked; "": all."""

    url: str
    checksum: str = ""
    bytes: int = 0
    mirrors: tuple[str, ...] = ()
    root: str = ""

    @property
    def name(self) -> str:
        """The last part of the address.

        >>> File("https://example.org/files/CUB_200_2011.tgz?download=1").name
        'CUB_200_2011.tgz'
        """
        return unquote(urlsplit(self.url).path).rsplit("/", 1)[-1]


class Recipe(NamedTuple):
    """How to get a data set: `files` to download, all into one folder, or what to do by hand, in words.

    Checksums are those that the publishers state, or that libraries which download the same files have verified for
    years. A file without one is not pinned: what it gives is reported with its SHA-256. `about`: gigabytes, where the
    files do not say.
    """

    licence: str
    home: str
    files: tuple[File, ...] = ()
    by_hand: str = ""
    about: float = 0.0

    @property
    def size(self) -> int:
        """Bytes of the files whose size is known."""
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True, kw_only=True)
class Source(ABC):
    """A source of data. `layout`: what is at `fetch.path`, in Markdown. `recipe`: how to get it; None: the user brings
    it. `named`: whether it is one data set, or a layout that many have, which are called like their file or folder.

    `features`: whether it hands over arrays of two views in place of pictures (see kinds.Vectors).
    """

    name: str
    layout: str
    recipe: Recipe | None = None
    named: bool = True

    features: ClassVar[bool] = False

    @property
    @abstractmethod
    def own_options(self) -> frozenset[str]:
        """The parameters of `fetch` that say how the source is read."""

    @property
    def options(self) -> frozenset[str]:
        """The parameters of `fetch` that it takes, beside source, path and licence."""
        return self.own_options | (DOWNLOADING if self.recipe else frozenset())

    @property
    def terms(self) -> str:
        """The licence, for the documentation."""
        return self.recipe.licence if self.recipe else "yours"

    @property
    def origin(self) -> str:
        """Where it comes from, in Markdown, for the documentation."""
        if self.recipe is None:
            return "bring it"
        gigabytes = self.recipe.about or self.recipe.size / 1e9
        size = f"{gigabytes:.3g} GB" if gigabytes >= 10 else f"{gigabytes:.1f} GB"
        size = f"{1e3 * gigabytes:.0f} MB" if gigabytes < 0.05 else size
        told = f", {size}" if gigabytes else ""
        return f"[{'downloaded' if self.recipe.files else 'by hand'}{told}]({self.recipe.home})"

    def licence(self, stated: str) -> str:
        """The licence as the user states it, or else as it is known of the data set."""
        return self.recipe.licence if self.recipe and stated == NOT_STATED else stated

    def holds(self, fetch: Options) -> frozenset[Holding]:
        """What its items may have, as far as `fetch` says it: a method that needs more cannot be trained."""
        return frozenset(("image", "text", "words", "label"))

    def title(self, fetch: Options) -> str:
        """What the data set is called."""
        return self.name if self.named else fetch["path"].stem

    def location(self, fetch: Options) -> str:
        """What source.json says of where the data are."""
        return fetch["path"].as_posix()

    def pin(self, fetch: Options, folder: Path) -> dict[str, Any]:
        """Look at the data and say what they are, for source.json: where, checksum, size, what is in them, licence and
        the files beside them. Data that cannot be noted alone are put into `folder`, which is kept with source.json.

        Raises KithError for what is wrong with files and lists; pictures are not decoded.
        """
        found = self.look(fetch)
        digest, size = self.digest(fetch["path"])
        described = {"path": self.location(fetch), "sha256": digest, "bytes": size, **found}
        return described | {"licence": self.licence(fetch["licence"]), **self.beside(fetch)}

    def check(self, fetch: Options, pinned: Mapping[str, Any]) -> None:
        """Raise KithError unless the files are those that `pin` saw and said `pinned` of."""
        if self.digest(fetch["path"])[0] != pinned["sha256"]:
            raise KithError(_changed(fetch["path"]))
        for key, now in self.beside(fetch).items():
            if pinned.get(key, {}).get("sha256") != now["sha256"]:
                raise KithError(_changed(now["path"]))

    def digest(self, path: Path) -> tuple[str, int]:
        """(SHA-256, bytes) of the data at `path`."""
        return digest_of(path)

    def look(self, fetch: Options) -> dict[str, Any]:
        """What is in the data. Raises KithError for what can be told to be wrong without decoding pictures."""
        return {}

    def beside(self, fetch: Options) -> dict[str, dict[str, Any]]:
        """Files and folders that `fetch` names beside the data, by parameter: path and SHA-256."""
        return {}

    def count(self, fetch: Options, pinned: Mapping[str, Any]) -> int:
        """How many pictures there are at most, as `pin` saw it."""
        return pinned.get("rows", 0)

    def build(self, fetch: Options, prepare: Options, raw: Path, pictures: "Sink") -> "Dataset":
        """The items, with their pictures decoded into `pictures`; `raw` is the folder with source.json.

        Raises KithError with up to 20 faults at once.
        """
        raise NotImplementedError(f"{self.name} has no pictures")


def beside_file(path: Path, parameter: str) -> dict[str, Any]:
    """What is noted of the file beside the data that `fetch` names. Raises KithError where it is not there."""
    return {"path": path.as_posix(), "sha256": digest_of(path, parameter=f"fetch.{parameter}")[0]}


def _changed(path: Path | str) -> str:
    return f"{path}: is not what the fetch stage saw; run the fetch stage again"
