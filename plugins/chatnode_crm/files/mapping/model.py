"""A mapping: what the columns of a file are, and how some kinds of values are written in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import attrs

from chatnode.api import record
from chatnode_crm.contacts.values.checking import FIELDS
from chatnode_crm.files.headers import FULL_NAME, IGNORE, LISTS, TAGS, fold

_CUSTOM = re.compile(r"custom\.\S{1,64}")
_SEVERAL = frozenset((TAGS, LISTS, IGNORE))


class BadMapping(ValueError):
    """The mapping cannot be used; `path` is the part that is wrong."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


@record(frozen=True, kw_only=True)
class ColumnMapping:
    """What each column of a file is.

    A target is a field of contacts, `custom.<key>`, `full_name` (split in first and last name), `tags`, `lists` or
    `ignore`.
    """

    columns: tuple[str, ...]
    """The target of each column, in their order."""
    constants: Mapping[str, str] = attrs.field(factory=dict[str, str])
    """Values that all rows have, by target. A value in the row comes first; tags and lists are added."""
    default_region: str | None = None
    """The country of phone numbers without a country code, such as "FR"."""
    separator: str | None = None
    """What separates tags, and lists, in a cell; by default a semicolon, comma, bar or `:::`."""

    def __attrs_post_init__(self) -> None:
        for at, target in enumerate(self.columns):
            _check_target(f"columns[{at}]", target)
        for target in self.constants:
            _check_target(f"constants.{target}", target)
            if target == IGNORE:
                raise BadMapping(f"constants.{target}", "a constant has to be a value of a field")
        for target, count in Counter(self.columns).items():
            if count > 1 and target not in _SEVERAL:
                raise BadMapping("columns", f"{count} columns are {target}; choose one, and ignore the others")
        if self.separator is not None and (not self.separator.strip() or len(self.separator) > 5):
            raise BadMapping("separator", "expected one to five characters that are not spaces")
        if self.default_region is not None and not re.fullmatch("[A-Z]{2}", self.default_region):
            raise BadMapping("default_region", 'expected a country code of two capital letters, such as "FR"')

    @classmethod
    def by_names(cls, columns: Sequence[str], targets: Mapping[str, str], **rest: object) -> ColumnMapping:
        """The mapping for a file with these columns, from targets by name of column, as they are saved.

        Names are compared without case, accents and punctuation. Columns that have no target are ignored; of several
        columns with one name, the first is meant.
        """
        wanted = {fold(name) or name: target for name, target in targets.items()}
        found: list[str] = []
        for name in columns:
            target = wanted.get(fold(name) or name, IGNORE)
            found.append(IGNORE if target in found and target not in _SEVERAL else target)
        return cls(columns=tuple(found), **rest)  # type: ignore[arg-type]

    def targets_by_name(self, columns: Sequence[str]) -> dict[str, str]:
        """The targets by name of column, to be saved for files with the same columns."""
        pairs = [(name, target) for name, target in zip(columns, self.columns, strict=False) if target != IGNORE]
        return {name: target for name, target in reversed(pairs) if name}


def _check_target(path: str, target: str) -> None:
    if target in FIELDS or target in _SEVERAL or target == FULL_NAME or _CUSTOM.fullmatch(target):
        return
    known = ", ".join((*FIELDS, FULL_NAME, TAGS, LISTS, IGNORE))
    raise BadMapping(path, f"{target!r} is not one of {known} or custom.<key>")
