"""News: pictures with the articles or captions they were published with, as in Thomas and Kovashka, "Preserving
Semantic Neighborhoods for Robust Cross-modal Retrieval", ECCV 2020."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kith.data.kinds import Captioned
from kith.data.listing import Entry, Listing, first_there, picture_folder
from kith.data.lists import read_json
from kith.data.source import Recipe
from kith.errors import KithError
from kith.unpickle import BadPickle, load

SIDES = ("left", "right")


def politics(
    path: Path,
    *,
    image_root: Path | None = None,
    min_characters: int | None = None,
    max_characters: int | None = None,
) -> Listing:
    """complete_db.pickle or complete_db.json: {"left" or "right": {issue: [{"local_path", "content_text"}, …]}}, maybe
    train_test_paths.pickle: {"train" and "test": [local_path, …]}, or splits.json: {local_path: split}.

    Thomas and Kovashka, "Predicting the Politics of an Image Using Webly Supervised Data", NeurIPS 2019. Of the
    layout, the file's name and its levels are those that programs which read it use; that paths are relative to
    `image_root` (by default `path`) is assumed. splits.json is Kith's own, and comes first; with the authors' file,
    pictures that it does not name are left out; without both, articles are split by chance.
    A leading "./" of paths is dropped. The side is the label. Pictures of the same article are one group, whatever
    issue it is filed under; a picture filed twice is one item, and the other is counted. Nothing in the pickle is run.
    min_characters, max_characters: see `_of_length`.
    """
    file = first_there(path, "complete_db.pickle", "complete_db.json")
    content = _unpickled(file) if file.suffix == ".pickle" else read_json(file)
    splits, theirs = _splits(path / "splits.json"), path / "train_test_paths.pickle"
    published = {} if splits or not theirs.is_file() else _published(theirs)
    entries: dict[str, Entry] = {}
    article: dict[str, str] = {}
    again = unlisted = 0
    for place, side, item in _items(file, content):
        image, text = (_text(file, place, item, name) for name in ("local_path", "content_text"))
        image = image.removeprefix("./")
        if image in entries:
            if entries[image].label != side:
                raise KithError(f"{file}: {place}: '{image}' is {side} here and {entries[image].label} before")
            again += 1
            continue
        if published and image not in published:
            unlisted += 1
            continue
        group = "" if splits or published else article.setdefault(text, image)
        if splits and image not in splits:
            raise KithError(f"{path / 'splits.json'}: no split of '{image}'; add it")
        place = f"{file.name}, {place}"
        split = splits.get(image, published.get(image, ""))
        entries[image] = Entry(image, split, image, place, side, [text], group)
    if published and not entries:
        raise KithError(f"{theirs}: names none of the pictures of {file.name}; '{next(iter(published))}' is not there")
    root = picture_folder(path, image_root, ".")
    counts = {"pictures filed again": again, "pictures in no split": unlisted}
    return _of_length(list(entries.values()), root, counts, min_characters, max_characters)


def goodnews(
    path: Path,
    *,
    image_root: Path | None = None,
    text: str = "caption",
    min_characters: int | None = None,
    max_characters: int | None = None,
) -> Listing:
    """captioning_dataset.json (or article+caption.json): {article: {"images": {number: caption}, "article",
    "headline": {"main"}}}, img_splits.json: {"<article>_<number>": split}, and resized/<article>_<number>.jpg.

    Biten et al., "Good News, Everyone!", CVPR 2019. `text`: the caption, the article or the headline. news_dataset.json
    of that release, which holds captions in other words, is not read. Pictures that img_splits.json does not name are
    left out; without it, articles are split by chance. min_characters, max_characters: see `_of_length`.
    """
    file = first_there(path, "captioning_dataset.json", "article+caption.json", "article_caption.json")
    splits = _splits(path / "img_splits.json")
    content = read_json(file)
    if not isinstance(content, dict):
        raise KithError(f"{file}: expected an object of articles by their ids")
    entries, unlisted = [], 0
    for key, each in content.items():
        images = each.get("images") if isinstance(each, dict) else None
        if not isinstance(images, dict):
            raise KithError(f"{file}: article '{key}': no object 'images' of captions by their numbers")
        for number, caption in images.items():
            name = f"{key}_{number}"
            if splits and name not in splits:
                unlisted += 1
                continue
            told = caption if text == "caption" else _of_article(file, key, each, text)
            place = f"{file.name}, article '{key}', image '{number}'"
            group = "" if splits else key
            entries.append(Entry(name, splits.get(name, ""), f"{name}.jpg", place, texts=[told], group=group))
    root = picture_folder(path, image_root, "resized", "images")
    return _of_length(entries, root, {"pictures in no split": unlisted}, min_characters, max_characters)


def _of_length(
    entries: list[Entry], root: Path, counts: dict[str, int], shortest: int | None, longest: int | None
) -> Listing:
    """Those whose text has at least `shortest` characters, cut after `longest`; `counts`: what else was left out.

    Thomas and Kovashka leave out articles of Politics with 500 characters and less, and cut the others at 10,000.
    Groups are those of whole articles. What is no text is told where all texts are checked.
    """
    kept = []
    for each in entries:
        (text,) = each.texts
        if isinstance(text, str) and len(text) >= (shortest or 0):
            kept.append(each._replace(texts=[text[:longest]]))
        elif not isinstance(text, str):
            kept.append(each)
    short = {f"pictures whose text has fewer than {shortest} characters": len(entries) - len(kept)}
    return Listing(kept, root, left_out={what: count for what, count in (counts | short).items() if count})


def _of_article(file: Path, key: str, each: dict[str, Any], text: str) -> Any:
    """What field of the article it is; None where it is empty."""
    value = each.get(text)
    if text == "headline" and isinstance(value, dict):
        value = value.get("main")
    if value is not None and not isinstance(value, str):
        raise KithError(f"{file}: article '{key}': '{text}' is not a text")
    return value


def _splits(file: Path) -> dict[str, str]:
    """{picture: split}; empty where there is no such file."""
    if not file.is_file():
        return {}
    content = read_json(file)
    if not isinstance(content, dict) or not content:
        raise KithError(f"{file}: expected an object {{picture: split}}")
    for key, value in content.items():
        if not isinstance(value, str):
            raise KithError(f"{file}: '{key}': the split is {value!r}, not a name")
    return content


def _published(file: Path) -> dict[str, str]:
    """{picture: split} of the authors' file, whose lists are called train and test, or train_imgs and test_imgs."""
    content = _unpickled(file)
    found: dict[str, str] = {}
    for name, paths in content.items() if isinstance(content, dict) else ():
        split = str(name).removesuffix("_imgs")
        if split not in ("train", "val", "test") or not isinstance(paths, list):
            continue
        for image in (str(each).removeprefix("./") for each in paths):
            if found.setdefault(image, split) != split:
                raise KithError(f"{file}: '{image}' is in {found[image]} and in {split}; take it out of one")
    if not found:
        raise KithError(f"{file}: expected an object with the lists 'train' and 'test' of paths")
    return found


def _items(file: Path, content: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(place, side, item) of all items."""
    if not isinstance(content, dict) or set(content) - set(SIDES) or not content:
        told = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise KithError(f"{file}: expected an object with 'left' and 'right', found {told or 'nothing'}")
    for side, issues in content.items():
        if not isinstance(issues, dict):
            raise KithError(f"{file}: '{side}': expected an object of issues")
        for issue, items in issues.items():
            if not isinstance(items, list):
                raise KithError(f"{file}: '{side}', issue '{issue}': expected a list of items")
            for row, item in enumerate(items):
                place = f"'{side}', issue '{issue}', row {row}"
                if not isinstance(item, dict):
                    raise KithError(f"{file}: {place}: expected an object with local_path and content_text")
                yield place, side, item


def _text(file: Path, place: str, item: dict[str, Any], name: str) -> str:
    if not isinstance(item.get(name), str) or not (item[name] or name == "content_text"):
        raise KithError(f"{file}: {place}: no text '{name}'")
    return item[name]


def _unpickled(file: Path) -> Any:
    try:
        with file.open("rb") as opened:
            return _decoded(load(opened, strings="bytes", kinds=""))
    except FileNotFoundError:
        raise KithError(f"{file}: no such file; mend fetch.path, or add the file") from None
    except (BadPickle, OSError, RecursionError) as error:
        raise KithError(f"{file}: cannot be read ({error})") from None


def _decoded(value: Any) -> Any:
    """`value` with the strings of Python 2, which come as bytes, as texts."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, dict):
        return {_decoded(key): _decoded(each) for key, each in value.items()}
    return [_decoded(each) for each in value] if isinstance(value, list | tuple) else value


SOURCES = (
    Captioned(
        name="politics",
        read=politics,
        labelled=True,
        lists=("*.pickle", "*.json"),
        layout="`complete_db.pickle` or `.json`, maybe `train_test_paths.pickle` or `splits.json`, and the pictures",
        recipe=Recipe(
            "research only, articles and photographs of news sites",
            "https://people.cs.pitt.edu/~kovashka/",
            by_hand="ask the authors (Thomas and Kovashka, NeurIPS 2019) for complete_db.pickle and the pictures",
        ),
    ),
    Captioned(
        name="goodnews",
        read=goodnews,
        lists=("*.json",),
        layout="`captioning_dataset.json`, `img_splits.json`, `resized/<article>_<number>.jpg`",
        recipe=Recipe(
            "research only, articles and photographs of the New York Times",
            "https://github.com/furkanbiten/GoodNews",
            by_hand="download captioning_dataset.json (there: article+caption.json), img_splits.json and the resized "
            "pictures from the cloud folder that its README names",
        ),
    ),
)
