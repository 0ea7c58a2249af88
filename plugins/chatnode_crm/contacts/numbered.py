"""Finding contacts that have neither an email address nor an external id: by their phone number and name, as several
people may have one number."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from chatnode.api import Querying, json_array, record
from chatnode_crm.contacts.values import FieldFault
from chatnode_crm.contacts.words import name_words

PHONE = "phone_key"
"""The column of the number."""
_AFTER_SPACE, _LAST = "!", "\U0010ffff"


@record(frozen=True)
class Numbered:
    """A contact with a phone number. `number` is that with the name, `is_bare` whether the contact has nothing else to
    be found by."""

    key: int
    number: str
    is_bare: bool

    def is_found_by(self, number: str) -> bool:
        return self.is_bare and self.number == number


def named_number(values: Mapping[str, Any]) -> str:
    """The phone number in E.164 form, with the words of the name after a space if there are any."""
    name = name_words(values)
    return f"{values[PHONE]} {name}" if name else values[PHONE]


def bare_number(values: Mapping[str, Any]) -> str | None:
    """The number with the name of a row that has nothing else to be found by."""
    if values.get("email_key") or values.get("external_id") or not values.get(PHONE):
        return None
    return named_number(values)


def ways_to_name(values: Mapping[str, Any]) -> Iterator[str]:
    """By what rows that have nothing else may be about a contact: its phone number with the name, and alone."""
    if values.get(PHONE):
        yield values[PHONE]
        yield named_number(values)


def find_numbered(reader: Querying, numbers: Collection[str]) -> dict[str, list[Numbered]]:
    """The contacts that have these numbers with names, the oldest first; those with other names, too, where a number
    has none. Of others who have a number, however many they are, nothing is read."""
    found: dict[str, list[Numbered]] = {}
    asked = [_range_of(*number.partition(" ")[::2]) for number in numbers]
    if not asked:
        return found
    rows = reader.execute(
        "SELECT DISTINCT c.key, c.phone_key, c.first_name, c.last_name, c.email_key IS NULL AND c.external_id IS NULL "
        "FROM json_each(?) number CROSS JOIN crm_contacts c ON c.phone_key = number.value ->> 0 "
        "AND c.words >= number.value ->> 1 AND c.words < number.value ->> 2 ORDER BY c.key",
        (json_array(asked),),
    )
    for key, phone, first_name, last_name, is_bare in rows.fetchall():
        number = named_number({PHONE: phone, "first_name": first_name, "last_name": last_name})
        for each in {phone, number}:
            found.setdefault(each, []).append(Numbered(key, number, bool(is_bare)))
    return found


def _range_of(number: str, name: str) -> tuple[str, str, str]:
    """The number, and between which texts the words of contacts are that begin with the name."""
    return (number, name, f"{name}{_AFTER_SPACE}") if name else (number, "", _LAST)


def bare_at(number: str, there: Sequence[Numbered]) -> int | None:
    """The key of the contact that is found by a number with a name."""
    return next((each.key for each in there if each.is_found_by(number)), None)


def not_enough(number: str) -> FieldFault:
    """Why a row with nothing else is refused if a contact has its number with its name, and may be meant."""
    needs = "its email address or external id" if " " in number else "its name, email address or external id"
    return FieldFault("phone", "exists", f"a contact with this phone number exists; the row needs {needs}")
