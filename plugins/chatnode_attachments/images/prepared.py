"""What the sandbox hands back. Its answers are checked: a picture may have taken it over."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

from chatnode.api import record
from chatnode_attachments.types import PICTURES

ThumbnailKind = Literal["thumb320", "thumb1280"]
KINDS: tuple[ThumbnailKind, ...] = ("thumb320", "thumb1280")
_MOST_SIDE = 65_535
_PREVIEW = re.compile(r"data:image/webp;base64,[A-Za-z0-9+/]{1,277}={0,2}")


@record(frozen=True)
class DerivedImage:
    """A thumbnail. The file is the caller's, to move or to remove."""

    kind: ThumbnailKind
    path: Path
    type: str
    width: int
    height: int


@record(frozen=True)
class Prepared:
    """A picture that was decoded. `width` and `height` are those that it is shown with.

    `cleaned` is the copy without metadata, to be stored in place of the original. Its file and those of `derived` are
    the caller's, to flush to disk and move, or to remove. `placeholder` is a tiny preview, a `data:` URI of up to 300
    bytes.
    """

    type: str
    width: int
    height: int
    cleaned: Path | None
    derived: tuple[DerivedImage, ...]
    placeholder: str | None


@record(frozen=True)
class SquarePicture:
    """A WebP picture of `side` times `side` pixels, without metadata. The file is the caller's."""

    path: Path
    side: int


def read_square(answer: Mapping[str, Any], path: Path, side: int) -> SquarePicture:
    """Raises `ValueError` or `KeyError` for anything that the sandbox never says of its own accord."""
    if not _side(answer["side"]) <= side:
        raise ValueError("side")
    return SquarePicture(path, answer["side"])


def read_answer(answer: Mapping[str, Any], cleaned: Path, thumbnails: Sequence[Path], *, clean: bool) -> Prepared:
    """Raises `ValueError`, `TypeError` or `KeyError` for anything that the sandbox never says of its own accord."""
    type, placeholder = answer["type"], answer["placeholder"]
    if type not in PICTURES or answer["cleaned"] is not clean:
        raise ValueError("type")
    if placeholder is not None and not (len(placeholder) <= 300 and _PREVIEW.fullmatch(placeholder)):
        raise ValueError("placeholder")
    derived = cast("list[Mapping[str, Any]]", answer["derived"])
    if [each["kind"] for each in derived] != list(KINDS[: len(derived)]):
        raise ValueError("kinds")
    return Prepared(
        type=type,
        width=_side(answer["width"]),
        height=_side(answer["height"]),
        cleaned=cleaned if clean else None,
        derived=tuple(
            DerivedImage(kind, path, "image/webp", _side(each["width"]), _side(each["height"]))
            for kind, path, each in zip(KINDS, thumbnails, derived, strict=False)
        ),
        placeholder=placeholder,
    )


def _side(value: object) -> int:
    if type(value) is not int or not 0 < value <= _MOST_SIDE:
        raise ValueError("size")
    return value
