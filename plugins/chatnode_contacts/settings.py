"""Settings: the section `[plugins.contacts]`."""

from __future__ import annotations

from chatnode.api import DAY_MS, record, setting


@record(frozen=True)
class ContactsSettings:
    """Contact lists and contact requests. For maximum numbers, 0 means no limit."""

    entries: int = setting(10_000, "Maximum number of contacts per user.", minimum=0)
    labels: int = setting(200, "Maximum number of groups and tags per user, together.", minimum=0)
    labels_per_contact: int = setting(20, "Maximum number of groups, and of tags, per contact.", minimum=0)
    pending_requests: int = setting(
        500, "Maximum number of unanswered requests a user may have sent, or received.", minimum=0
    )
    requests_per_minute: int = setting(20, "Maximum number of requests a user may send per minute.", minimum=0)
    declined_days: int = setting(
        30, "Days after a declined request before the same user may be asked again.", minimum=0
    )
    one_sided: bool = setting(True, "Whether users may add contacts without a request.")
    open_direct: bool = setting(
        True, "Whether new contacts get a direct conversation, and so see each other's presence."
    )
    half_life_days: float = setting(
        30.0, "Days after which a message counts half in the order of most frequent contacts.", minimum=0.01
    )

    @property
    def half_life_ms(self) -> float:
        return self.half_life_days * DAY_MS
