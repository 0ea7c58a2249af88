"""Settings: the section `[plugins.crm]`."""

from __future__ import annotations

from chatnode.api import record, setting

MIB = 1 << 20


@record(frozen=True)
class CrmSettings:
    """Contacts of an organization, with lists, tags, imports and exports. For maximum numbers, 0 means no limit."""

    changes_days: int = setting(
        30, "Days to keep changes of contacts, and deleted contacts, in the journal.", minimum=1
    )
    custom_fields: int = setting(100, "Maximum number of custom fields of contacts.", minimum=0)
    notes_per_contact: int = setting(1_000, "Maximum number of notes about a contact.", minimum=0)
    phone_region: str = setting(
        "", "Country of phone numbers without a country code, such as FR; empty: such numbers are kept as they are."
    )

    # ---- people

    chat_accounts: bool = setting(False, "Whether to create a contact for every new account of this node.")
    chat_erased: str = setting(
        "delete",
        "What to do with the contact of an erased account: `delete` it, or `detach` the account.",
        choices=("delete", "detach"),
    )
    merge_undo_days: int = setting(30, "Days for which a merge of two contacts can be undone.", minimum=0)
    form_posts_per_minute: int = setting(
        5, "Maximum number of public forms that one IP address may send per minute.", minimum=0
    )
    form_least_seconds: float = setting(
        3.0, "Minimum seconds between opening and sending a public form; programs are quicker.", minimum=0
    )

    # ---- broadcasts

    time_zone: str = setting("UTC", "Time zone of sending windows that name none, such as Europe/Paris.")
    broadcasts_per_minute: int = setting(
        600, "Maximum, and default, number of messages per minute of a broadcast.", minimum=1
    )
    broadcast_bot: str = setting("news", "Name of the bot that posts broadcasts; its handle, unless that is taken.")
    broadcast_bot_name: str = setting("News", "Display name of that bot.")
    broadcast_footer: str = setting("Reply STOP to unsubscribe.", "Footer of every broadcast; empty: none.")
    stop_words: tuple[str, ...] = setting(
        (
            "STOP", "UNSUBSCRIBE", "CANCEL", "QUIT", "END", "OPT OUT", "OPTOUT", "STOP ALL", "STOPALL",
            "STOPP", "ABMELDEN", "ABBESTELLEN", "AUSTRAGEN",
            "ARRET", "ARRETER", "ARRETEZ", "DESABONNER", "SE DESABONNER", "DESINSCRIRE", "DESINSCRIPTION",
            "BAJA", "DARSE DE BAJA", "PARAR", "CANCELAR", "SAIR", "DESCADASTRAR",
            "ANNULLA", "BASTA", "DISISCRIVI", "DISISCRIVIMI", "CANCELLAMI",
            "AFMELDEN", "UITSCHRIJVEN", "STOPPEN", "WYPISZ", "REZYGNUJE", "ZATRZYMAJ",
            "СТОП", "ОТПИСАТЬСЯ", "ОТПИСКА", "ОТПИШИТЕ", "ОТМЕНА",
            "停止", "退订", "退訂", "取消", "取消订阅", "TD",
        ),
        "Replies that opt out of broadcasts: the first line, or its beginning. Case, accents, punctuation and emoji do "
        "not matter. With a list's name after the word, only of broadcasts to that list.",
    )  # fmt: skip
    start_words: tuple[str, ...] = setting(
        (
            "START", "SUBSCRIBE", "UNSTOP", "ANMELDEN", "ABONNER", "ALTA", "INICIAR", "ISCRIVI", "AANMELDEN", "ZAPISZ",
            "СТАРТ", "ПОДПИСАТЬСЯ", "开始", "订阅",
        ),
        "Replies that opt back in.",
    )  # fmt: skip
    stop_reply: str = setting(
        "You have been unsubscribed. Reply START to subscribe again.",
        "Reply to users who opt out; empty: none.",
    )
    stop_unknown_reply: str = setting(
        "You have been unsubscribed from everything, because there is no list with the name that you wrote. To "
        "unsubscribe from one list only, reply START, then STOP and the name of the list.",
        "Reply to users whose opt-out names no list: they get no broadcasts at all; empty: none.",
    )
    start_reply: str = setting(
        "You are subscribed again. Reply STOP to unsubscribe.",
        "Reply to users who opt back in; empty: none.",
    )
    start_unknown_reply: str = setting(
        "You are still unsubscribed from everything. To subscribe again, reply only START.",
        "Reply to users who opted out of everything and ask for one list only; empty: none.",
    )

    # ---- imports, lists, segments

    import_rows: int = setting(10_000, "Maximum number of rows of an import.", minimum=0)
    import_mib: int = setting(100, "Maximum size of a file to import, in MiB.", minimum=0)
    imports_per_day: int = setting(50, "Maximum number of imports that a user may begin in 24 hours.", minimum=0)
    import_undo_days: int = setting(
        30, "Days after which the file and rows of an import are removed, and it can no longer be undone.", minimum=1
    )
    count_seconds: float = setting(
        10.0,
        "Maximum seconds to count the contacts that lists or tags have in common, and to compute statistics.",
        minimum=0,
    )
    bulk_contacts: int = setting(
        200,
        "Number of contacts from which a change of their lists or tags runs in the background.",
        minimum=1,
    )
    idle_list_days: int = setting(
        365, "Days without a change after which a list is archived; 0 means never.", minimum=0
    )
    campaign_days: int = setting(
        90, "Days after which a campaign list is archived, unless it is in execution; 0 means never.", minimum=0
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
    segment_seconds: float = setting(30.0, "Maximum seconds for such a check of one list.", minimum=0)
