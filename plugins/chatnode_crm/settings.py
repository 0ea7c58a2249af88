"""Settings: the section `[plugins.crm]`."""

from __future__ import annotations

from chatnode.api import record, setting

MIB = 1 << 20


@record(frozen=True)
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

    # ---- people

    chat_accounts: bool = setting(False, "Whether a contact is made for every account of this node that is created.")
    chat_erased: str = setting(
        "delete",
        "What becomes of the contact of an account that is erased: `delete` it, or `detach` the account.",
        choices=("delete", "detach"),
    )
    merge_undo_days: int = setting(30, "Days in which a merge of two contacts can be undone.", minimum=0)
    form_posts_per_minute: int = setting(
        5, "Maximum number of times per minute that a visitor may send public forms, by address.", minimum=0
    )
    form_least_seconds: float = setting(
        3.0, "Seconds that a public form must have been open before it is sent: programs are quicker.", minimum=0
    )

    # ---- broadcasts

    time_zone: str = setting("UTC", "Time zone of sending windows that name none, such as Europe/Paris.")
    broadcasts_per_minute: int = setting(
        600, "Maximum number of messages per minute of a broadcast, and the default.", minimum=1
    )
    broadcast_bot: str = setting("news", "Name of the bot that posts broadcasts; its handle, unless that is taken.")
    broadcast_bot_name: str = setting("News", "How that bot is shown.")
    broadcast_footer: str = setting(
        "Answer STOP to get no more of these messages.", "What is put below every broadcast; empty for nothing."
    )
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
        "Answers to a broadcast that stop all of them: as the first line, or at its beginning. Case, accents, "
        "punctuation and emoji do not matter. A list's name after the word stops only broadcasts to that list.",
    )  # fmt: skip
    start_words: tuple[str, ...] = setting(
        (
            "START", "SUBSCRIBE", "UNSTOP", "ANMELDEN", "ABONNER", "ALTA", "INICIAR", "ISCRIVI", "AANMELDEN", "ZAPISZ",
            "СТАРТ", "ПОДПИСАТЬСЯ", "开始", "订阅",
        ),
        "Answers that undo that.",
    )  # fmt: skip
    stop_reply: str = setting(
        "You will get no more of these messages. Answer START to get them again.",
        "What the bot answers to who stops broadcasts; empty for nothing.",
    )
    stop_unknown_reply: str = setting(
        "You will get none of these messages any more, as no list has the name that you wrote. Answer START to get "
        "them again, and after that STOP and the name of a list to stop that list only.",
        "What the bot answers if something other than a list's name follows the word: then all broadcasts stop. Empty "
        "for nothing.",
    )
    start_reply: str = setting(
        "You will get these messages again. Answer STOP to stop them.",
        "What the bot answers to who starts them again; empty for nothing.",
    )
    start_unknown_reply: str = setting(
        "You still get none of these messages, as you stopped all of them. To get them again, answer only START.",
        "What the bot answers to who starts one list, or something that is no list, while all are stopped; empty for "
        "nothing.",
    )

    # ---- imports, lists, segments

    import_rows: int = setting(10_000, "Maximum number of rows of an import.", minimum=0)
    import_mib: int = setting(100, "Maximum size of a file to import, in MiB.", minimum=0)
    imports_per_day: int = setting(50, "Maximum number of imports that a user may begin in 24 hours.", minimum=0)
    import_undo_days: int = setting(
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
