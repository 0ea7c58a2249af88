"""The settings, and finding the rule that a text breaks."""

from __future__ import annotations

import re

import attrs

from chatnode.api import folded, setting

_WORD = re.compile(r"\w+")
_LINK = re.compile(r"https?://(?:[^\s/?#\\]*@)?([^\s/?#\\:@]+)", re.IGNORECASE)
"""The host of a link, behind a name and a password that it may begin with."""


@attrs.frozen
class Rule:
    """What a message must not contain."""

    name: str = setting("", "The rule's name.")
    words: tuple[str, ...] = setting((), "Words, ignoring case and accents.")
    links: tuple[str, ...] = setting((), 'Hosts of links, including their subdomains; "*" is any host.')
    action: str = setting("refuse", "refuse, or hold until a moderator releases it.", choices=("refuse", "hold"))
    reason: str = setting("this is not allowed here", "The error that the sender gets.")
    conversations: tuple[str, ...] = setting((), "Ids of the conversations it applies to. Empty: all.")


@attrs.frozen
class Settings:
    """What to filter."""

    rules: tuple[Rule, ...] = setting((), "Rules. The first that matches applies.", of=Rule)


def fitting(rules: tuple[Rule, ...], conversation: str, text: str) -> Rule | None:
    """The first rule that a text in a conversation breaks."""
    words = {folded(word) for word in _WORD.findall(text)}
    hosts = [host.casefold().rstrip(".") for host in _LINK.findall(text)]
    for rule in rules:
        if rule.conversations and conversation not in rule.conversations:
            continue
        if words & {folded(word) for word in rule.words} or any(_leads_to(host, rule.links) for host in hosts):
            return rule
    return None


def _leads_to(host: str, links: tuple[str, ...]) -> bool:
    return any(link == "*" or host == link or host.endswith(f".{link}") for link in links)
