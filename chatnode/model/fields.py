"""The types of command fields, with their bounds.

A bound is part of the type (`Annotated[str, Text(...)]`), so that the codec that checks a request and the
OpenAPI document that describes it read the same declaration.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

import attrs

from chatnode.counting import counted
from chatnode.model import times
from chatnode.model.folding import is_blank
from chatnode.model.records import record


@record(frozen=True)
class Text:
    """Bounds of a string: length in characters and, optionally, a form.

    It must be one line without control characters, whatever the form allows. A non-empty text (`least`) without a
    form must have a visible character. A `free` text may have anything but NUL, which SQLite cannot search, and halves
    of surrogate pairs, which UTF-8 does not have: the JSON of clients cannot have them, but strings of Python can.
    """

    most: int
    least: int = 0
    form: str | None = None
    free: bool = False
    hint: str = ""
    matches: Callable[[str], object] = attrs.field(
        init=False,
        repr=False,
        eq=False,
        default=attrs.Factory(lambda self: re.compile(self.form or "(?s).*").fullmatch, takes_self=True),
    )

    @property
    def usual(self) -> str:
        """An expression in Python that is true only of texts that fit, and of nearly all of these. It has `{text}` and
        `{matches}` for the text and the method of this name."""
        usual = f"{self.least} <= len({{text}}) <= {self.most} and {{text}}.isascii() and {{text}}.isprintable()"
        if self.form is not None:
            return usual + " and {matches}({text})"
        return usual if self.free or not self.least else usual + " and not {text}.isspace()"

    def fault(self, text: str) -> str | None:
        """What is wrong with `text`, or None."""
        if self.hint and self.least == self.most and not self.matches(text):
            return self.hint  # such as an id, of which the length alone says little
        if len(text) > self.most:
            return f"has {counted(len(text), 'character')}; the maximum is {self.most}"
        if len(text) < self.least:
            return f"has {counted(len(text), 'character')}; the minimum is {self.least}"
        if self.form is not None and not self.matches(text):
            return self.hint or f"must have the form {self.form}"
        if (unstorable := _unstorable(text)) is not None:
            return unstorable
        if not self.free and _CONTROL.search(text):
            return "contains control characters or line breaks"
        if not self.free and self.form is None and self.least and is_blank(text):
            return "has no visible characters"
        return None


_MOST_WHOLE = 2**53 - 1
"""What every JSON reader keeps exactly."""


@record(frozen=True)
class Whole:
    """Bounds of an integer, both included."""

    least: int
    most: int = _MOST_WHOLE

    def fault(self, number: int) -> str | None:
        if number < self.least and self.most == _MOST_WHOLE:
            return f"is {number}; the minimum is {self.least}"
        if not self.least <= number <= self.most:
            return f"is {number}; expected {self.least} to {self.most}"
        return None


@record(frozen=True)
class Items:
    """Maximum length of a list. It is checked before the items are: they may be very many."""

    most: int

    def fault(self, items: list[object]) -> str | None:
        return f"has {counted(len(items), 'item')}; the maximum is {self.most}" if len(items) > self.most else None


@record(frozen=True)
class Entries:
    """Bounds of an object of strings: number of entries, and length of each name and value in characters."""

    most: int
    most_name: int = 64
    most_value: int = 1_000

    def fault(self, entries: dict[str, str]) -> str | None:
        if len(entries) > self.most:
            return f"has {counted(len(entries), 'entry', 'entries')}; the maximum is {self.most}"
        for name, value in entries.items():
            if not 0 < len(name) <= self.most_name or _CONTROL.search(name) or is_blank(name) or _unstorable(name):
                return f"has the name {name[:80]!r}; names have 1 to {self.most_name} visible characters"
            if (unstorable := _unstorable(value)) is not None:
                return f"{unstorable} at {name!r}"
            if len(value) > self.most_value:
                return f"has {counted(len(value), 'character')} at {name!r}; the maximum is {self.most_value}"
        return None


@record(frozen=True)
class Real:
    """Bounds of a number, both included."""

    least: float
    most: float

    def fault(self, number: float) -> str | None:
        if not self.least <= number <= self.most:  # written so that NaN is refused too
            return f"is {number}; expected {self.least} to {self.most}"
        return None


@record(frozen=True)
class Moment:
    """Must be a valid time in the given form, or empty."""

    def fault(self, text: str) -> str | None:
        try:
            if text:
                times.milliseconds(text)
        except ValueError as error:
            return f"is {text}, which is not a valid time: {error}"
        return None


# C0, C1, line and paragraph separators, what turns the direction of the text around it or comes between its lines.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u206f\ufff9-\ufffb]")

_SURROGATE = re.compile("[\ud800-\udfff]")


def _unstorable(text: str) -> str | None:
    """What the database cannot store, or cannot search."""
    if "\0" in text:
        return "contains a NUL character"
    return "contains half of a surrogate pair" if _SURROGATE.search(text) else None


HANDLE_FORM = r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?"

Id = Annotated[str, Text(32, 32, r"[0-9a-f]{32}", hint="must be an id of 32 hexadecimal digits")]
Handle = Annotated[
    str,
    Text(
        63,
        1,
        HANDLE_FORM.replace("a-z", "A-Za-z"),
        hint="must consist of letters a-z, digits and . _ -, and begin and end with a letter or digit",
    ),
]
Who = Annotated[str, Text(63, 1, hint="expected a user's handle or id")]
Cid = Annotated[str, Text(64, 1, r"[A-Za-z0-9._:-]+", hint="expected 1 to 64 characters of A-Z a-z 0-9 . _ : -")]
Body = Annotated[str, Text(1_000_000, 1, free=True)]  # the real bound is a setting: limits.message_chars
Caption = Annotated[str, Text(1_000_000, free=True)]
Metadata = Annotated[dict[str, str], Entries(50)]
Title = Annotated[str, Text(200, 1)]
Name = Annotated[str, Text(100, 1)]
Description = Annotated[str, Text(2_000, free=True)]
Avatar = Annotated[str, Text(2_000, form=r"(/\S+)?", hint="is an address; upload the picture to the node instead")]
"""Empty, or the address on the node that it has already."""
Password = Annotated[str, Text(1_000, 1, free=True)]
Secret = Annotated[str, Text(200, 1)]
Scope = Annotated[str, Text(50, 1)]
RoleName = Annotated[str, Text(40, 1, r"[a-z0-9][a-z0-9_-]*", hint="expected a-z, digits, _ and -")]
Device = Annotated[str, Text(100, 1)]
Seq = Annotated[int, Whole(0)]
Gid = Annotated[int, Whole(0)]
Limit = Annotated[int, Whole(1)]
IdleDays = Annotated[int, Whole(0, 36_500)]
_TIME_HINT = "expected a time with its offset, such as 2026-11-21T10:17:06Z"
Time = Annotated[str, Text(40, form=times.FORM, hint=_TIME_HINT), Moment()]
"""`times.milliseconds` reads it."""
TimeOrEmpty = Annotated[str, Text(40, form=f"({times.FORM})?", hint=f"{_TIME_HINT}, or an empty string"), Moment()]
"""For a time that an empty string removes."""
Days = Annotated[int, Whole(1, 36_500)]  # a hundred years
