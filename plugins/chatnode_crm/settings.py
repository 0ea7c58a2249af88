"""Settings: the section `[plugins.crm]`."""

from __future__ import annotations

import attrs

from chatnode.api import setting


@attrs.frozen
class CrmSettings:
    """Contacts of an organisation, with lists, tags, imports and exports. For maximum numbers, 0 means no limit."""

    changes_days: int = setting(
        30, "Days for which the journal of contacts keeps what changed, and what deleted contacts were.", minimum=1
    )
    custom_fields: int = setting(100, "Maximum number of custom fields of contacts.", minimum=0)
    notes_per_contact: int = setting(1_000, "Maximum number of notes about a contact.", minimum=0)
    phone_region: str = setting(
        "", "Country of phone numbers without a country code, such as FR; empty: such numbers are kept as they are."
    )

    import_rows: int = setting(10_000, "Maximum number of rows of an import.", minimum=0)
