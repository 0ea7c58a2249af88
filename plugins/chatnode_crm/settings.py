"""Settings: the section `[plugins.crm]`."""

from __future__ import annotations

import attrs

from chatnode.api import setting


@attrs.frozen
class CrmSettings:
    """Contacts of an organisation, with lists, tags, imports and exports. For maximum numbers, 0 means no limit."""

    import_rows: int = setting(10_000, "Maximum number of rows of an import.", minimum=0)
    segment_depth: int = setting(
        6, "Maximum nesting depth of the filter of a segment, with those of the lists that it refers to.", minimum=0
    )
    segment_terms: int = setting(
        100, "Maximum number of terms in the filter of a segment, with those of the lists that it refers to.", minimum=0
    )
