"""The settings, and which rule fits a text."""

from __future__ import annotations

import re

import attrs

from chatnode.api import folded, setting

_WORD = re.compile(r"\w+")
_LINK = re.compile(r"https?://([^\s/?#:]+)", re.IGNORECASE)


@attrs.frozen
class Rule:
    """What a message must not have."""

    name: str = setting("", "What the rule is called.")
    words: tuple[str, ...] = setting((), "Words, whatever their case and accents.")
    links: tuple[str, ...] = setting((), 'Hosts that links lead to, with those below them; "*" is any.')
    action: str = setting("refuse", "refuse, or hold until a moderator releases it.", choices=("refuse", "hold"))
    reason: str = setting("this is not allowed here", "What the sender is told.")
    conversations: tuple[str, ...] = setting((), "Ids of the conversations where it holds. Empty: everywhere.")


@attrs.frozen
class Settings:
    """What is filtered."""

    rules: tuple[Rule, ...] = setting((), "Rules. The first that fits counts.", of=Rule)


def fitting(rules: tuple[Rule, ...], conversation: str, text: str) -> Rule | None:
    """The first rule that a text in a conversation breaks."""
    words = {folded(word) for word in _WORD.findall(text)}
    hosts = [host.casefold() for host in _LINK.findall(text)]
    for rule in rules:
        if rule.conversations and conversation not in rule.conversations:
            continue
        if words & {folded(word) for word in rule.words} or any(_leads_to(host, rule.links) for host in hosts):
            return rule
    return None


def _leads_to(host: str, links: tuple[str, ...]) -> bool:
    return any(link == "*" or host == link or host.endswith(f".{link}") for link in links)
