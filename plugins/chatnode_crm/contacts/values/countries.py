"""Countries: their ISO codes and their names in many languages become one English name."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from chatnode_crm.contacts.values.text import words_only

_LANGUAGES = (
    "de", "fr", "es", "it", "pt", "pt_BR", "nl", "pl", "ru", "zh_CN", "zh_TW", "ja", "ko", "uk", "cs", "sk", "sl",
    "hr", "sr", "hu", "ro", "bg", "el", "tr", "sv", "da", "nb_NO", "fi", "et", "lv", "lt", "ca", "ar", "he", "fa",
    "hi", "th", "vi", "id",
)  # fmt: skip
"""The first that knows a name has it: "Niger" and the like are not the same everywhere."""
_SHORT = {
    "BN": "Brunei", "CD": "DR Congo", "CG": "Congo", "FK": "Falkland Islands", "FM": "Micronesia",
    "KP": "North Korea", "LA": "Laos", "PS": "Palestine", "RU": "Russia", "SH": "Saint Helena", "TR": "Turkey",
    "VA": "Vatican City", "VG": "British Virgin Islands", "VI": "U.S. Virgin Islands",
}  # fmt: skip
"""Where the name of ISO is not the one that people write."""
_ALSO = {
    "america": "US", "united states of america": "US", "us of a": "US", "estados unidos": "US", "eeuu": "US",
    "ee uu": "US", "vereinigte staaten von amerika": "US", "etats unis d amerique": "US", "сша": "US", "美国": "US",
    "美國": "US", "アメリカ": "US", "アメリカ合衆国": "US", "vs": "US",
    "uk": "GB", "great britain": "GB", "britain": "GB", "england": "GB", "scotland": "GB", "wales": "GB",
    "northern ireland": "GB", "grossbritannien": "GB", "vereinigtes konigreich": "GB", "royaume uni": "GB",
    "grande bretagne": "GB", "gran bretagna": "GB", "gran bretana": "GB", "inghilterra": "GB", "angleterre": "GB",
    "inglaterra": "GB", "anglia": "GB", "великобритания": "GB", "англия": "GB", "英国": "GB", "英國": "GB",
    "holland": "NL", "hollande": "NL", "holanda": "NL", "olanda": "NL", "holandia": "NL", "голландия": "NL",
    "deutschland": "DE", "brd": "DE", "allemagne": "DE", "alemania": "DE", "czech republic": "CZ",
    "ceska republika": "CZ", "tschechische republik": "CZ", "republique tcheque": "CZ", "turkey": "TR",
    "turkei": "TR", "russian federation": "RU", "rossiya": "RU", "russland": "RU", "рф": "RU", "россия": "RU",
    "south korea": "KR", "korea": "KR", "north korea": "KP", "ivory coast": "CI", "elfenbeinkuste": "CI",
    "burma": "MM", "swaziland": "SZ", "macedonia": "MK", "cape verde": "CV", "vatican": "VA", "uae": "AE",
    "emirates": "AE", "bosnia": "BA", "prc": "CN", "china": "CN", "中国": "CN", "中國": "CN", "roc": "TW",
    "hongkong": "HK", "macau": "MO", "weissrussland": "BY", "belorussia": "BY", "moldavia": "MD",
    "drc": "CD", "republic of korea": "KR", "republic of ireland": "IE", "eire": "IE", "suisse": "CH",
    "schweiz": "CH", "svizzera": "CH", "helvetia": "CH",
}  # fmt: skip
"""Names that no list of ISO has."""
_JOINED = re.compile("[.'’`´]")
_MOST_KEPT = 10_000
_known: dict[str, str] = {}


def country_name(text: str) -> str:
    """The English name of the country; the text itself if no country is called that."""
    name = _known.get(text)
    if name is None:
        if len(_known) >= _MOST_KEPT:
            _known.clear()
        name = _known[text] = _names().get(_folded(text), text)
    return name


@cache
def _names() -> dict[str, str]:
    import pycountry

    found: dict[str, str] = {}
    shown: dict[str, str] = {}
    for country in pycountry.countries:
        shown[country.alpha_2] = name = _english(country)
        official = getattr(country, "official_name", name)
        for spelling in (country.alpha_2, country.alpha_3, name, country.name, official):
            found[_folded(spelling)] = name
    for spelling, code in _ALSO.items():
        found.setdefault(_folded(spelling), shown[code])
    for translate in _translations():
        for country in pycountry.countries:
            for spelling in (getattr(country, "common_name", country.name), country.name):
                found.setdefault(_folded(translate(spelling)), shown[country.alpha_2])
    return found


def _english(country: Any) -> str:
    return _SHORT.get(country.alpha_2) or getattr(country, "common_name", country.name)


def _translations() -> list[Any]:
    import gettext

    import pycountry

    return [
        gettext.translation("iso3166-1", pycountry.LOCALES_DIR, languages=[language], fallback=True).gettext
        for language in _LANGUAGES
    ]


def _folded(text: str) -> str:
    """Without case, accents and punctuation; "U.S.A." is "usa"."""
    return words_only(_JOINED.sub("", text))
