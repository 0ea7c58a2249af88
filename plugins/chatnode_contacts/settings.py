"""What administrators may set: the section `[plugins.contacts]`."""

from __future__ import annotations

import attrs

from chatnode.api import setting

DAY_MS = 86_400_000


@attrs.frozen
class Settings:
    """Contact lists, and asking people to be contacts. In what counts, 0 means: no limit."""

    entries: int = setting(10_000, "Contacts of one person.", minimum=0)
    labels: int = setting(200, "Groups and tags of one person, together.", minimum=0)
    labels_per_contact: int = setting(20, "Groups of one contact, and tags of one contact.", minimum=0)
    pending_requests: int = setting(
        500, "Requests that one person may have sent, or got, without an answer.", minimum=0
    )
    requests_per_minute: int = setting(20, "Requests one person may send.", minimum=0)
    declined_days: int = setting(
        30, "Whoever was declined may ask the same person again after so many days.", minimum=0
    )
    one_sided: bool = setting(True, "Whether people can add others to their own list without asking them.")
    open_direct: bool = setting(
        True, "Whether two people who become contacts get a direct conversation, and so see each other's presence."
    )
    half_life_days: float = setting(
        30.0, "In the order of who one talks with most, a message counts half after so many days.", minimum=0.01
    )

    @property
    def half_life_ms(self) -> float:
        return self.half_life_days * DAY_MS
