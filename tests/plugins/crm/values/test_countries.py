"""Countries: one name for each, whatever language it is written in."""

from __future__ import annotations

import pycountry
import pytest
from chatnode_crm.contacts.values import country_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("fr", "France"), ("FRA", "France"), ("Frankreich", "France"), ("FRANCIA", "France"), ("Франция", "France"),
        ("法国", "France"), ("フランス", "France"), ("U.S.A.", "United States"), ("Etats-Unis", "United States"),
        ("Stany Zjednoczone", "United States"), ("UK", "United Kingdom"), ("Cote d’Ivoire", "Côte d'Ivoire"),
        ("Korea, Republic of", "South Korea"), ("Türkiye", "Turkey"), ("Países Bajos", "Netherlands"),
        ("Schweiz", "Switzerland"), ("Österreich", "Austria"), ("osterreich", "Austria"),
    ],
)  # fmt: skip
def test_names_and_codes_become_one_name(text: str, name: str) -> None:
    assert country_name(text) == name


def test_a_name_stays_as_it_is() -> None:
    for country in pycountry.countries:
        name = country_name(country.alpha_2)
        assert name != country.alpha_2
        assert country_name(name) == name
        assert country_name(country.alpha_3) == name


@pytest.mark.parametrize("text", ["Atlantis", "ZZ", "?", "Bavaria"])
def test_other_names_are_kept(text: str) -> None:
    assert country_name(text) == text
