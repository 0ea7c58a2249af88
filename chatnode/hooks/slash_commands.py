"""The slash commands that the running plugins offer, each behind a barrier."""

from __future__ import annotations

from functools import partial
from math import inf
from typing import Any, Literal

from chatnode.dispatch.caller import Caller
from chatnode.errors import Refusal
from chatnode.hooks.guard import HookFailed, guard
from chatnode.hooks.manager import Loaded, Manager
from chatnode.hooks.slash import Slash, SlashCall, SlashReply
from chatnode.model.fields import Body
from chatnode.model.records import record
from chatnode.protocol import codec


@record(frozen=True)
class PluginCommand:
    """A slash command of a running plugin."""

    slash: Slash
    _loaded: Loaded
    _plugins: Manager

    @property
    def plugin(self) -> str:
        return self._loaded.plugin.name

    async def run(self, caller: Caller, call: SlashCall) -> SlashReply | None:
        """Have the plugin carry it out. Raises `Refusal`: its own, or `internal` if it fails.

        It has no time limit, as a command of the plugin has none.
        """
        report = partial(self._plugins.report, self.plugin)
        hook = f"slash /{self.slash.name}"
        try:
            found: Any = await guard(self.slash.handler, self.plugin, hook, inf, report)(
                self._loaded.context_of(caller), call
            )
        except HookFailed as failure:
            raise failure.as_refusal() from failure
        if found is not None and (fault := _fault_of(found)) is not None:
            report(hook, fault)
            raise HookFailed(self.plugin, hook, fault).as_refusal()
        return found


def _fault_of(reply: object) -> str | None:
    if not isinstance(reply, SlashReply):
        return "returned something other than a SlashReply with a text, or None"
    try:
        codec.structure({"text": reply.text, "visible": reply.visible}, _Reply)
    except Refusal as refusal:
        return f"returned a SlashReply whose {refusal.message}"
    return None if reply.text.strip() else "returned a SlashReply without a visible text"


@record
class _Reply:
    text: Body
    visible: Literal["all", "only_you"]


class SlashCommands:
    """Created when the plugins are loaded."""

    def __init__(self, plugins: Manager) -> None:
        self._all = [PluginCommand(slash, loaded, plugins) for loaded in plugins for slash in loaded.plugin.slash]

    def offered(self, caller: Caller, name: str | None = None) -> list[PluginCommand]:
        """What plugins offer the requester: all of it, or the commands with a name."""
        return [each for each in self._all if name in (None, each.slash.name) and caller.may(each.slash.permission)]
