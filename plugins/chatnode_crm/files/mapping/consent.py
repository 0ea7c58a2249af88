"""Columns that say who does not want messages: which they are, and what their cells say.

Facts: the names of people and programs in many languages, and the columns of the exports of Salesforce, HubSpot,
Mailchimp, Brevo, Listmonk, Klaviyo, Dynamics and the like.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache

from chatnode.api import record
from chatnode_crm.contacts.values.flags import read_flag
from chatnode_crm.files.headers import fold
from chatnode_crm.files.mapping.dates import DateForm, read_date

_NAMES = """
    opted out|opted out at|opted out on|opted out date|opt out|opt out date|unsubscribed|unsubscribed at|unsubscribed on
    |unsubscribed date|unsubscribed time|unsubscribe|unsubscribe date|unsubscribe time|unsub time|date unsubscribed
    |is unsubscribed|has unsubscribed|email unsubscribed|unsubscribed from all|unsubscribed from email
    |unsubscribed from all email|unsubscribed from all emails|globally unsubscribed|global unsubscribe
    |unsubscribed from newsletter|newsletter unsubscribed|email opt out|email opted out|email opt out date
    |has opted out of email|opted out of email|opted out of emails|opted out of all email|opted out of all emails
    |opt out of email|opt out email|hs email optout|email optout|marketing opt out|opted out of marketing
    |opt out of marketing|newsletter opt out|do not email|do not contact|do not send|do not send emails|no email
    |no emails|no newsletter|do not allow emails|do not allow bulk emails|do not bulk email|blacklisted|blocklisted
    |email blacklisted|email blocklisted|is blacklisted|is blocklisted|blacklist|blocklist|suppressed|email suppressed
    |abgemeldet|abgemeldet am|abmeldung|abmeldedatum|newsletter abgemeldet|abbestellt|abbestellt am
    |newsletter abbestellt|newsletter abbestellt am|ausgetragen|ausgetragen am|keine e-mails|keine werbung
    |kein newsletter|werbewiderspruch|werbesperre|newsletter abmeldung|vom newsletter abgemeldet
    |désinscrit|désinscrite|désinscrits|désinscrit le|désinscription|date de désinscription|désabonné|désabonnée
    |désabonné le|désabonnement|date de désabonnement|désinscrit de la newsletter|ne pas contacter|ne plus contacter
    |ne pas envoyer|liste noire|blacklisté
    |dado de baja|dada de baja|baja|fecha de baja|baja newsletter|desuscrito|desinscrito|no contactar|no enviar
    |no enviar correos|lista negra
    |disiscritto|disiscritta|disiscrizione|data disiscrizione|non contattare|non inviare
    |descadastrado|descadastrada|inscrição cancelada|cancelou inscrição|cancelou a inscrição|não contactar|não contatar
    |não enviar
    |uitgeschreven|uitgeschreven op|afgemeld|afgemeld op|afmelding|niet mailen|geen e-mail|geen e-mails
    |geen nieuwsbrief|niet contacteren
    |wypisany|wypisana|wypisano|wypisany z newslettera|wyrejestrowany|rezygnacja|data rezygnacji|nie wysyłać
    |nie kontaktować
    |отписан|отписана|отписался|отписался от рассылки|отписка|дата отписки|не писать|не беспокоить|отказ от рассылки
    |черный список|чёрный список|відписаний|відписався
    |退订|已退订|退订时间|取消订阅|已取消订阅|黑名单|拒收|退訂|已退訂|取消訂閱
    |配信停止|配信拒否|メール配信停止|購読解除|オプトアウト|수신거부|수신 거부|구독취소|구독 취소
    |avregistrerad|avanmäld|avprenumererad|avmeldt|afmeldt|odhlášen|odhlášeno|odhlášený|leiratkozott|leiratkozás
    |dezabonat|abonelikten çıktı|peruuttanut
"""
_STATUS = """
    status|subscription status|subscriber status|email status|email subscription status|marketing status
    |email marketing status|email marketing consent|marketing consent|consent status|contact status|member status
    |list status|opt in status|newsletter status|subscription|email consent|abostatus|abo-status|newsletter-status
    |statut|statut de l'abonnement|statut d'abonnement|estado|estado de suscripción|stato|stato iscrizione|situação
    |status da inscrição|abonnementstatus|status subskrypcji|статус|статус подписки|状态|订阅状态|狀態|ステータス|상태
"""
_SAID = "opted out|optout|unsubscribed|unsubscribe|blocklisted|blacklisted"
_OUT = """
    opted out|optout|unsubscribed|unsubscribe|blocklisted|blacklisted|do not allow|do not contact|blocked|disabled
    |complained|complaint|spam complaint|spam|abuse|marked as spam|reported as spam|gesperrt|widersprochen
"""
"""Words of a state, besides the names above, for someone who does not want messages."""
_IN = """
    subscribed|enabled|confirmed|opted in|opt in|optin|single opt in|double opt in|allow|allowed|consented|granted
    |angemeldet|abonniert|bestätigt|inscrit|inscrite|abonné|abonnée|suscrito|iscritto|inscrito|ingeschreven|aangemeld
    |zapisany|подписан|подписана|订阅|已订阅|訂閱|購読中|구독
"""
_NEITHER = """
    active|inactive|aktiv|inaktiv|actif|inactif|activo|inactivo|attivo|inattivo|ativo|inativo|actief|inactief|aktywny
    |nieaktywny|активен|неактивен|pending|unconfirmed|bounced|hard bounced|soft bounced|hard bounce|soft bounce|cleaned
    |never subscribed|not subscribed|non subscribed|nonsubscribed|no consent|transactional|archived|deleted|valid
    |invalid|unknown|null|none|n a|na|n|nil|never|nie|jamais|nunca|mai
"""
_GENERAL = """
    active|inactive|aktiv|inaktiv|actif|inactif|activo|inactivo|attivo|inattivo|ativo|inativo|actief|inactief|aktywny
    |nieaktywny|активен|неактивен|pending|archived|deleted|valid|invalid|unknown|disabled|blocked|null|none|n a|na|nil
"""
"""Words that states of other kinds have, too."""
_HINTS = re.compile(
    r"unsub|opt(?:ed)? ?out|black ?list|block ?list|do not|suppress|\bdnc\b|abgemeld|abbestell|desinscri|desabonn"
    r"|\bbaja\b|disiscri|descadastr|uitgeschreven|afgemeld|wypisan|отпис|退订|退訂|配信停止|수신거부"
)
_CONSENT_HINTS = re.compile(
    r"newsletter|subscri|opt(?:ed)? ?in|consent|marketing|gdpr|rgpd|dsgvo|einwilligung|mailing|abonn|suscri|iscri"
    r"|nieuwsbrief|подпис|рассыл|订阅|訂閱|購読|구독"
)
_LONGEST = 60
_STAMP = re.compile(r"(\d{10})(\d{3})?(?:\.\d+)?")
"""Seconds or milliseconds since 1970."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@record(frozen=True)
class FoundConsent:
    """The column that says who opted out, if one surely does, and what a person should know of others."""

    column: int | None
    notes: list[str]


def find_consent(
    columns: Sequence[str], cells: Sequence[Sequence[str]], free: Sequence[bool], chosen: int | None = None
) -> FoundConsent:
    """`cells` are the values of each column that are not empty; `free` says which columns are no field of contacts;
    `chosen` is the column that a person said it is."""
    places = [at for at, is_free in enumerate(free) if is_free]
    sure = [at for at in places if _is_sure(columns[at], cells[at])]
    found = min(sure, key=lambda at: (is_status(columns[at]), not cells[at], at), default=None)
    best = found if chosen is None else chosen
    notes = [
        note
        for at in places
        if at != best and (note := _note(columns[at], cells[at], sure=at in sure, other=best is not None)) is not None
    ]
    return FoundConsent(best, notes)


def names_opt_out(header: str) -> bool:
    """Whether a header says by itself that the column is about opting out."""
    return _is_among(_word(header), _NAMES)


def hints_at_opt_out(header: str) -> bool:
    """Whether a header has words of opting out: it names no field."""
    return names_opt_out(header) or _HINTS.search(fold(header)) is not None


def is_status(header: str) -> bool:
    """Whether a column has a state, such as `subscribed`, rather than yes and no."""
    return _is_among(_word(header), _STATUS)


def read_opt_out(text: str, form: DateForm = "iso", *, status: bool = False) -> bool | int | None:
    """What a cell says: that the contact opted out, perhaps when (in milliseconds), that it did not, or nothing.

    Raises `ValueError` for a text that is none of these.
    """
    text = text.strip()
    flag = read_flag(text)
    if flag is not None and not status:
        return flag
    word = _word(text)
    if word == "disabled" or word == "enabled":  # the state of a contact, or of its wish to opt out
        return (word == "disabled") == status
    if _is_among(word, _OUT) or _is_among(word, _NAMES):
        return True
    if _is_among(word, _IN):
        return False
    if not word or _is_among(word, _NEITHER):
        return None
    when = _time(text, form)
    if when is None:
        raise ValueError(text)
    return when if when > 0 else True


def _is_sure(header: str, cells: Sequence[str]) -> bool:
    if names_opt_out(header):
        return not cells or any(_is_readable(cell) for cell in cells)
    if not is_status(header):
        return False
    words = {fold(cell) for cell in cells}
    return not words <= _folded(_GENERAL) and words <= (
        _folded(_OUT) | _folded(_NAMES) | _folded(_IN) | _folded(_NEITHER)
    )


def _is_readable(cell: str) -> bool:
    try:
        return read_opt_out(cell) is not None
    except ValueError:
        return False


def _note(header: str, cells: Sequence[str], *, sure: bool, other: bool) -> str | None:
    """What a person should know of a column that is not read. `other`: another column surely has the opt-outs."""
    name = header[:80]
    if sure or _may_have_opt_outs(header, cells, other=other):
        return f"column {name!r} may contain opt-outs but is not read; set opted_out to {name!r} if it does"
    if _may_have_consent(header, cells):
        return (
            f"column {name!r} may contain consent but is not read; opted_out needs a column where yes means opted out"
        )
    return None


def _may_have_opt_outs(header: str, cells: Sequence[str], *, other: bool) -> bool:
    """By its name, or by what people say in it. If another column surely has them, a name counts only if the cells can
    be read."""
    hint = fold(header[:_LONGEST])
    if _HINTS.search(hint):
        return any(map(_is_readable, cells)) if other else bool(cells)
    if _CONSENT_HINTS.search(hint) and any(read_flag(cell) is not None for cell in cells):
        return False  # here yes means the opposite
    return any(_is_among(word, _NAMES) or _is_among(word, _SAID) for word in map(_word, cells))


def _may_have_consent(header: str, cells: Sequence[str]) -> bool:
    """By its name, if some said no."""
    return _CONSENT_HINTS.search(fold(header[:_LONGEST])) is not None and any(
        read_flag(cell) is False for cell in cells
    )


def _time(text: str, form: DateForm) -> bool | int | None:
    """When a date was, in milliseconds; True for one that may be several."""
    if len(text) > _LONGEST:
        return None
    if stamp := _STAMP.fullmatch(text):
        return int(stamp[1]) * 1_000 + int(stamp[2] or 0)
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        with suppress(ValueError, OverflowError):
            found = parse(text)
            return (found.replace(tzinfo=found.tzinfo or UTC) - _EPOCH) // timedelta(milliseconds=1)
    if day := read_date(text, form):
        return _time(day, form)
    return True if any(read_date(text, each) for each in ("dmy", "mdy", "ymd")) else None


def _word(text: str) -> str:
    """What is looked up among the names and words. No longer text is one."""
    return fold(text) if len(text) <= _LONGEST else text


def _is_among(word: str, names: str) -> bool:
    return bool(word) and (word in _folded(names) or word.replace(" ", "") in _folded(names))


@cache
def _folded(names: str) -> frozenset[str]:
    found = [fold(name) for name in names.replace("\n", "").split("|")]
    return frozenset((*found, *(name.replace(" ", "") for name in found)))
