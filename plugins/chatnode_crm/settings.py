"""Settings: the section `[plugins.crm]`."""

from __future__ import annotations

import attrs

from chatnode.api import setting

MIB = 1 << 20


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
    import_mib: int = setting(100, "Maximum size of a file to import, in MiB.", minimum=0)
    imports_per_day: int = setting(50, "Maximum number of imports that a user may begin in 24 hours.", minimum=0)
    undo_days: int = setting(
        30, "Days after which an import can no longer be undone, and its file and rows are removed.", minimum=1
    )
    count_seconds: float = setting(
        10.0,
        "Maximum seconds to count the contacts that lists or tags have in common, and to compute statistics.",
        minimum=0,
    )
    bulk_contacts: int = setting(
        200,
        "Number of contacts from which a change of their lists or tags runs in the background, as a work.",
        minimum=1,
    )
    idle_list_days: int = setting(
        365, "Days without a change after which a list is archived; 0 means never.", minimum=0
    )
    campaign_days: int = setting(
        90, "Days after which a campaign list is archived, unless it is being carried out; 0 means never.", minimum=0
    )
    segment_depth: int = setting(
        6, "Maximum nesting depth of the filter of a segment, with those of the lists that it refers to.", minimum=0
    )
    segment_terms: int = setting(
        100, "Maximum number of terms in the filter of a segment, with those of the lists that it refers to.", minimum=0
    )
    exports_per_day: int = setting(50, "Maximum number of exports that a user may make within a day.", minimum=0)
    export_hours: float = setting(24.0, "Hours until the file of an export is deleted.", minimum=0.1)
    segment_minutes: int = setting(
        60, "Minutes between checks of who has entered and left dynamic lists; 0 means never.", minimum=0
    )
    segment_seconds: float = setting(
        30.0, "Maximum seconds to find out who has entered or left a dynamic list.", minimum=0
    )
