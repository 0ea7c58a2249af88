"""Settings: the section `[plugins.crm]`."""

from __future__ import annotations

import attrs

from chatnode.api import setting

MIB = 1 << 20


@attrs.frozen
class CrmSettings:
    """Contacts of an organisation, with lists, tags, imports and exports. For maximum numbers, 0 means no limit."""

    import_rows: int = setting(10_000, "Maximum number of rows of an import.", minimum=0)
    import_mib: int = setting(100, "Maximum size of a file to import, in MiB.", minimum=0)
    imports_per_day: int = setting(50, "Maximum number of imports that a user may begin in 24 hours.", minimum=0)
    undo_days: int = setting(
        30, "Days after which an import can no longer be undone, and its file and rows are removed.", minimum=1
    )
