"""Settings: the section `[plugins.crm]`."""

from __future__ import annotations

import attrs

from chatnode.api import setting


@attrs.frozen
class CrmSettings:
    """Contacts of an organisation, with lists, tags, imports and exports. For maximum numbers, 0 means no limit."""

    import_rows: int = setting(10_000, "Maximum number of rows of an import.", minimum=0)
