"""Which addresses requests may go to: the table of the public internet, and what the operator allows or denies."""

from __future__ import annotations

from collections.abc import Collection

from chatnode.addresses import EgressRule, IPAddress, IPNetwork, parse_egress_rule
from chatnode.config import OutboundSettings
from chatnode.outbound.addresses import METADATA, Target, is_public_name, public, with_embedded
from chatnode.outbound.errors import Blocked
from chatnode.outbound.purpose import Purpose


class EgressPolicy:
    """The operator's settings; nobody else widens them. The methods raise `Blocked`."""

    def __init__(self, settings: OutboundSettings) -> None:
        self._allow = [parse_egress_rule(text) for text in settings.allow]
        self._deny = [parse_egress_rule(text) for text in settings.deny]
        self._nat64 = settings.nat64
        self._only_names = all(rule.network is None for rule in self._allow)

    def check_target(self, target: Target, purpose: Purpose) -> None:
        """What can be judged before the host is looked up."""
        addresses = [] if target.address is None else list(with_embedded(target.address))
        if _covered(self._deny, target, addresses):
            raise Blocked(f"{target.origin} is denied by the operator")
        if self._is_allowed(target, addresses[:1], purpose):
            return
        if not is_public_name(target.host):
            raise Blocked(f"{target.origin} has no public name")
        if self._only_names:
            _check_form(target, purpose)

    def check_address(self, target: Target, address: IPAddress, purpose: Purpose, own: Collection[IPNetwork]) -> None:
        """Judge one address of the target's host, when it has passed `check_target`. `own` are this machine's.

        Private addresses are not named in the error: a user must not learn them.
        """
        addresses = list(with_embedded(address))
        if _covered(self._deny, target, addresses):
            raise Blocked(f"{target.origin} has an address that is denied by the operator")
        if any(each in METADATA for each in addresses) and not self._is_named(target, address):
            raise Blocked(f"{target.origin} is a metadata service of a cloud")
        if getattr(address, "scope_id", None) is not None:
            raise Blocked(f"{target.origin} has an address with a zone")
        if self._is_allowed(target, [address], purpose):
            return
        _check_form(target, purpose)
        if not public(address, nat64=self._nat64):
            raise Blocked(f"{target.origin} has an address that is not public")
        if any(each in network for network in own for each in addresses):
            raise Blocked(f"{target.origin} is this machine")

    def check_for_proxy(self, target: Target, purpose: Purpose) -> None:
        """What is judged if a proxy judges the address: the port, TLS, and what is denied by name."""
        addresses = [] if target.address is None else list(with_embedded(target.address))
        if _covered(self._deny, target, addresses):
            raise Blocked(f"{target.origin} is denied by the operator")
        _check_form(target, purpose)

    def _is_allowed(self, target: Target, addresses: Collection[IPAddress], purpose: Purpose) -> bool:
        """A rule without a port allows the purpose's own."""
        rules = self._allow if target.port in purpose.ports else [rule for rule in self._allow if rule.port is not None]
        return _covered(rules, target, addresses)

    def _is_named(self, target: Target, address: IPAddress) -> bool:
        """Whether `allow` has this address by itself, not only as one of a network or by a host's name."""
        return any(
            rule.network is not None and rule.network.num_addresses == 1 and rule.covers("", [address], target.port)
            for rule in self._allow
        )


def _covered(rules: Collection[EgressRule], target: Target, addresses: Collection[IPAddress]) -> bool:
    return any(rule.covers(target.host, addresses, target.port) for rule in rules)


def _check_form(target: Target, purpose: Purpose) -> None:
    if target.port not in purpose.ports:
        raise Blocked(f"{target.origin} has a port that is not used for this")
    if purpose.https_only and target.scheme != "https":
        raise Blocked(f"{target.origin} must be an https:// address")
