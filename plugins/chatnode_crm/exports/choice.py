"""What a user chose to export, as it is stored."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import orjson

from chatnode.api import record
from chatnode_crm.exports.columns import Preset
from chatnode_crm.files.writing.formats import FileOptions
from chatnode_crm.segments.selection import Selection


@record(frozen=True)
class ExportChoice:
    """Which contacts, and how their file is written. Without `columns`, those of the preset when it is written."""

    contacts: Selection
    preset: Preset | None
    columns: Sequence[str] | None
    options: FileOptions

    def as_json(self) -> str:
        return orjson.dumps(attrs.asdict(self)).decode()

    @classmethod
    def from_json(cls, text: str) -> ExportChoice:
        stored = orjson.loads(text)
        return cls(
            Selection(**stored["contacts"]), stored["preset"], stored["columns"], FileOptions(**stored["options"])
        )
