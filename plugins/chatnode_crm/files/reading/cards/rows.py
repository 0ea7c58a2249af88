"""The row that a card makes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from chatnode_crm.contacts.values.names import split_name
from chatnode_crm.files.cards import PRODUCT
from chatnode_crm.files.names import join_names
from chatnode_crm.files.reading.cards.properties import Property
from chatnode_crm.files.reading.model import RowFault

COLUMNS = (
    "UID", "First name", "Last name", "Company", "Email", "Other emails", "Phone", "Other phones", "City", "Country",
    "Notes", "Categories", "Lists", "Title", "Website", "Birthday", "Street", "Postal code", "State",
)  # fmt: skip
USED = frozenset(
    (
        "N",
        "FN",
        "UID",
        "ORG",
        "EMAIL",
        "TEL",
        "ADR",
        "NOTE",
        "CATEGORIES",
        "TITLE",
        "URL",
        "BDAY",
        "KIND",
        "AGENT",
        "X-ADDRESSBOOKSERVER-KIND",
        "PRODID",
        "X-CHATNODE",
    )
)
"""The properties that rows are made of."""
OWN = "X-CHATNODE"
"""What cards of a node have no property for, with the name of the column as a parameter."""
_KINDS = ("KIND", "X-ADDRESSBOOKSERVER-KIND")
_CUSTOM = "custom."
_CONSENT = "opted_out_at"
_EXTENSION = re.compile(r";ext=(\d+)", re.IGNORECASE)
_FAX = frozenset(("FAX", "PAGER", "BBS", "MODEM"))


_Card = Mapping[str, Sequence[Property]]
"""The properties of a card by name."""


def row_of_card(
    properties: Sequence[Property], most: int, ours: Sequence[str] = ()
) -> tuple[list[str], list[RowFault]]:
    """The values in the columns, and in those of a node's own lines, and what is wrong with them."""
    card: dict[str, list[Property]] = {}
    for each in properties:
        card.setdefault(each.name, []).append(each)
    first, last = _names(card)
    emails = _sorted(card, "EMAIL", _email)
    phones = _sorted(card, "TEL", _phone)
    address = _address(card)
    values = [
        _external_id(card), first, last, _part(_first_parts(card, "ORG"), 0), *_first_and_rest(emails),
        *_first_and_rest(phones), _part(address, 3), _part(address, 6),
        "\n".join(text for each in card.get("NOTE", ()) if (text := each.text())),
        join_names(item for each in card.get("CATEGORIES", ()) for item in each.items()),
        join_names(item for each in _ours(card, "lists") for item in each.items()),
        _first(card.get("TITLE", ())), _first(card.get("URL", ())), _first(card.get("BDAY", ())), _part(address, 2),
        _part(address, 5), _part(address, 4),
        *(next((each.text() for each in _ours(card, name)), "") for name in ours),
    ]  # fmt: skip
    faults = [
        RowFault(None, "encoding", f"{each.name}: {each.wrong}", warning=True) for each in properties if each.wrong
    ]
    for column, value in enumerate(values):
        if len(value) > most:
            values[column] = value[:most]
            faults.append(RowFault(column, "cell_too_long", f"longer than {most} characters"))
    if any(each.text().lower() == "group" for name in _KINDS for each in card.get(name, ())):
        faults.append(RowFault(None, "group", "a group of contacts, not a contact"))
    return values, faults


def is_column(label: str) -> bool:
    """Whether the lines of a node with this label are a column, which other cards do not have."""
    return label == _CONSENT or label.startswith(_CUSTOM)


def _names(card: _Card) -> tuple[str, str]:
    parts = _first_parts(card, "N")
    first = " ".join(filter(None, (_part(parts, 1), _part(parts, 2))))
    last = _part(parts, 0)
    if first or last:
        return first, last
    found = split_name(_first([each for each in card.get("FN", ()) if not each.derived]))
    return found[0] or "", found[1] or ""


def _external_id(card: _Card) -> str:
    """The UID of a card that a node made is the contact's own id, and the external id has a line of its own."""
    if any(each.value == PRODUCT for each in card.get("PRODID", ())):
        return next((each.text() for each in _ours(card, "external_id")), "")
    return _first(card.get("UID", ()))


def _ours(card: _Card, label: str) -> list[Property]:
    return [each for each in card.get(OWN, ()) if each.label == label]


def _sorted(card: _Card, name: str, value: Callable[[Property], str]) -> list[str]:
    """The different values of a property, the preferred one first, and machines behind people."""
    found = [each for each in card.get(name, ()) if value(each)]
    found.sort(key=lambda each: (not _FAX.isdisjoint(each.types), each.preference))
    return list(dict.fromkeys(map(value, found)))


def _email(found: Property) -> str:
    text = found.text().strip()
    return text[7:] if text[:7].lower() == "mailto:" else text


def _phone(found: Property) -> str:
    text = found.text().strip()
    if text[:4].lower() == "tel:":
        text = _EXTENSION.sub(r" ext. \1", text[4:]).partition(";")[0]
    return text


def _address(card: _Card) -> list[str]:
    found = sorted(card.get("ADR", ()), key=lambda each: (not any(each.parts()), each.preference))
    return found[0].parts() if found else []


def _first(properties: Sequence[Property]) -> str:
    return next((text for each in properties if (text := each.text().strip())), "")


def _first_parts(card: _Card, name: str) -> list[str]:
    found = (each.parts() for each in card.get(name, ()))
    return next(filter(any, found), list[str]())


def _part(parts: Sequence[str], at: int) -> str:
    return parts[at] if at < len(parts) else ""


def _first_and_rest(values: Sequence[str]) -> tuple[str, str]:
    return (values[0] if values else ""), ", ".join(values[1:])
