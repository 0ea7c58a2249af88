"""Texts that may not notify."""

from __future__ import annotations

from chatnode_webhooks.incoming.naming import EVERYONE, without_mentions
from hypothesis import given, settings
from hypothesis import strategies as st

from chatnode.model.mentions import mentioned_handles
from chatnode.storage.people.people import RESERVED_HANDLES
from tests.quick import examples

WORDS = st.sampled_from([
    "@everyone", "@ALL", "@here", "@admins", "@ann", "`@all`", "```", "@all's", "x@all", "@all@all", "> ", "\n", " ",
    "https://a.example/@all", "\\@all", "*", "@channel", ".", "@all.example",
])  # fmt: skip


def test_everyone_has_the_names_that_the_node_knows() -> None:
    assert EVERYONE | {"admins"} == RESERVED_HANDLES


@settings(max_examples=examples(400), deadline=None)
@given(st.lists(WORDS).map("".join), st.booleans(), st.booleans())
def test_what_may_not_be_named_is_not(text: str, everyone: bool, names: bool) -> None:
    said = without_mentions(text, everyone=everyone, names=names)
    assert said.replace("\u2060", "") == text
    allowed = [each for each in mentioned_handles(text) if (everyone if each in EVERYONE else names)]
    assert mentioned_handles(said) == allowed
