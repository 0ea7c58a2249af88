"""Calling the hooks of a node's plugins: in their order, each within its budget, by the terms of `specs.py`."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial, wraps
from typing import Any, cast

import attrs
import pluggy

from chatnode.config import Plugins as Settings
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.hooks import Allow, Deny
from chatnode.errors import STATUS, Refusal, StartError
from chatnode.hooks import specs
from chatnode.hooks.context import Context, Scope
from chatnode.hooks.guard import FAILURES, HookFailed, Report, colour, guard, is_json
from chatnode.logs import get_logger
from chatnode.model.messages import Message
from chatnode.model.people import Person
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Change, Follower, Transaction
from chatnode.storage.messages.messages import Draft, as_sent

logger = get_logger("plugins")

MARK = f"{specs.PROJECT}_impl"
"""The attribute that `hookimpl` leaves on a function."""

Call = Callable[..., Awaitable[Any]]


class Facade:
    """The hooks of one plugin, guarded, under the names of its functions; what pluggy knows as the plugin."""


class HookCalls:
    """The hooks of one node's plugins. `report` is told of each that fails: plugin, hook, and how."""

    def __init__(self, settings: Settings, report: Callable[..., None]) -> None:
        self.scopes: dict[str, Scope] = {}
        """By plugin, once the node is open."""
        self._report = report
        self._budgets: dict[specs.Budget, float] = {
            "hook_seconds": settings.hook_seconds,
            "transaction_seconds": settings.transaction_seconds,
            "start_seconds": settings.start_seconds,
        }
        self._pluggy = pluggy.PluginManager(specs.PROJECT)
        self._pluggy.add_hookspecs(specs)
        self._pluggy.hook.add_hookspecs.call_historic(kwargs={"add": self._pluggy.add_hookspecs})

    # ---- registering

    def guarded(self, source: Any, plugin: str) -> Facade:
        """The plugin's hooks, each within its budget and behind a barrier."""
        facade = Facade()
        for hook in dir(source):
            function = getattr(source, hook)
            marks: Mapping[str, Any] | None = getattr(function, MARK, None)
            if marks is None or hook == "chatnode_plugin":
                continue
            name = marks["specname"] or hook
            if marks["hookwrapper"]:
                raise StartError(f"{hook} is a hookwrapper; use wrapper=True")
            if hook == "add_hookspecs" or marks["wrapper"]:
                setattr(facade, hook, function)
                continue
            terms = specs.TERMS.get(name)
            budget = self._budgets[terms.budget if terms else "hook_seconds"]
            guarded = guard(function, plugin, name, budget, self._reporting(plugin))
            if name in ("enrich_messages", "enrich_people"):
                guarded = self._enriching(guarded, plugin, name)
            setattr(facade, hook, guarded)
        return facade

    def _reporting(self, plugin: str) -> Report:
        return partial(self._report, plugin)

    def register(self, plugin: str, hooks: Facade) -> None:
        """The last one registered is called first. Raises what pluggy finds wrong with its arguments."""
        self._pluggy.register(hooks, plugin)

    def unregister(self, plugin: str) -> None:
        """Nothing of the plugin is called any more."""
        if self._pluggy.has_plugin(plugin):
            self._pluggy.unregister(name=plugin)

    def fault_of(self, hooks: Facade) -> str | None:
        """What is wrong with a plugin's hooks: unknown, or async instead of sync or the reverse. Once all are
        registered, because a plugin may offer hooks to others."""
        callers: Iterable[Any] = self._pluggy.get_hookcallers(hooks) or ()
        faults = (_fault_of(caller, hooks, self._names()) for caller in callers)
        return next((fault for fault in faults if fault is not None), None)

    def _names(self) -> list[str]:
        return [name for name, caller in vars(self._pluggy.hook).items() if getattr(caller, "spec", None) is not None]

    def has(self, hook: str) -> bool:
        """Whether a plugin implements it."""
        return bool(getattr(self._pluggy.hook, hook).get_hookimpls())

    # ---- what storage calls

    def follower(self, event: str) -> Follower | None:
        """What plugins do when an event of this name is recorded; None if no plugin follows it."""
        audience, changed = self._caller("audience", event), self._caller("in_transaction", event)
        if audience is None and changed is None:
            return None
        return Follower(
            partial(_audience, audience) if audience is not None else None,
            partial(_refusing, changed) if changed is not None else None,
        )

    def _caller(self, hook: str, event: str) -> Any:
        """What calls a hook for events of this name: of those plugins that did not say `only_for` others."""
        plugins = {each.plugin: each.function for each in getattr(self._pluggy.hook, hook).get_hookimpls()}
        others = [
            plugin for plugin, function in plugins.items() if event not in getattr(function, specs.ONLY_FOR, (event,))
        ]
        return self._pluggy.subset_hook_caller(hook, others) if len(others) < len(plugins) else None

    # ---- what requests call, and the node

    async def check_command(self, ctx: Caller, name: str, command: Any) -> None:
        for plugin, check in self._calls("check_command", ctx, name=name, command=command):
            try:
                verdict = await check()
                if not isinstance(verdict, Allow | Deny):
                    self._report(plugin, "check_command", "returned something other than Allow or Deny")
                    raise HookFailed(plugin, "check_command", "returned something other than Allow or Deny")
            except HookFailed as failed:
                raise failed.as_refusal() from failed
            if isinstance(verdict, Deny):
                raise Refusal(verdict.code if verdict.code in STATUS else "forbidden", verdict.reason)

    async def prepare_draft(self, ctx: Caller, draft: Draft) -> None:
        """Plugins get a copy, of which only text and metadata are used: access was checked for the rest."""
        prepared = attrs.evolve(draft)
        for _, prepare in self._calls("prepare_draft", ctx, draft=prepared):
            try:
                await prepare()
            except HookFailed as failed:
                raise failed.as_refusal() from failed
        if prepared.text != draft.text:
            draft.sent = as_sent(draft)
        draft.text, draft.metadata = prepared.text, prepared.metadata

    def _calls(self, hook: str, caller: Caller | None = None, /, **arguments: Any) -> Iterator[tuple[str, Call]]:
        """An async hook's implementations in their order, each with its plugin's name and ready to be called.

        With a `caller`, each gets a context of its own plugin's for it.
        """
        for implementation in reversed(getattr(self._pluggy.hook, hook).get_hookimpls()):
            if caller is not None:
                arguments["ctx"] = Context(caller, self.scopes[implementation.plugin_name])
            values = [arguments[name] for name in implementation.argnames]
            yield implementation.plugin_name, partial(implementation.function, *values)

    def enrich_messages(self, reader: Reader | Transaction, messages: Sequence[Message]) -> None:
        for plugin, known in self._enrichments("enrich_messages", reader=reader, messages=messages):
            for message in messages:
                if (extra := known.get(message.message)) is not None:
                    message.extra = {**(message.extra or {}), plugin: extra}

    def enrich_people(self, reader: Reader, people: Sequence[Person]) -> list[Person]:
        enriched = list(people)
        for plugin, known in self._enrichments("enrich_people", reader=reader, people=people):
            for index, person in enumerate(enriched):
                if (extra := known.get(person.id)) is not None:
                    enriched[index] = attrs.evolve(person, extra={**(person.extra or {}), plugin: extra})
        return enriched

    def _enrichments(self, hook: str, **arguments: Any) -> list[tuple[str, Mapping[str, Any]]]:
        """What each plugin gave; nothing at all when a wrapper fails, which stands outside of every barrier."""
        try:
            return [(plugin, known) for plugin, known in getattr(self._pluggy.hook, hook)(**arguments)]
        except FAILURES:
            logger.exception("a wrapper of the hook %s failed", hook)
            return []

    def _enriching(self, guarded: Callable[..., Any], plugin: str, hook: str) -> Callable[..., Any]:
        """`guarded`, giving the plugin's name with what it gave; when it fails, None, which pluggy leaves out."""

        @wraps(guarded)
        def run(*arguments: Any) -> tuple[str, Mapping[str, Any]] | None:
            try:
                known = guarded(*arguments)
            except (HookFailed, Refusal):
                return None
            if is_json(known):
                return plugin, cast("Mapping[str, Any]", known)
            self._report(plugin, hook, "returned something other than a mapping of JSON values")
            return None

        return run

    async def tell(self, hook: str, contexts: Mapping[str, Context]) -> None:
        """Call `node_started` or `node_stopping` of every plugin, with its context; failures were reported."""
        for implementation in reversed(getattr(self._pluggy.hook, hook).get_hookimpls()):
            context = contexts[implementation.plugin_name]
            try:
                await implementation.function(*([context] if implementation.argnames else []))
            except Refusal as refusal:
                self._report(implementation.plugin_name, hook, f"raised {refusal}", refusal)
            except HookFailed:
                continue

    async def ask(self, hook: str, /, **arguments: Any) -> list[Any]:
        """Call a hook that a plugin offers; what failed is left out."""
        caller = getattr(self._pluggy.hook, hook, None)
        if caller is None or caller.spec is None:
            raise LookupError(f"no plugin offers the hook {hook}")
        gave: list[Any] = []
        is_async = colour(caller.spec.function) == "async def"
        for _, call in self._calls(hook, **arguments):
            try:
                gave.append(await call() if is_async else call())
            except (HookFailed, Refusal):
                continue
        return gave


def _fault_of(caller: Any, facade: Facade, known: list[str]) -> str | None:
    """What is wrong with a plugin's implementations of one hook."""
    for implementation in caller.get_hookimpls():
        if implementation.plugin is not facade:
            continue
        if caller.spec is None:
            near: list[str] = difflib.get_close_matches(str(caller.name), known, 1)
            hint = f"did you mean {near[0]}?" if near else f"hooks are {', '.join(sorted(known))}"
            return f"there is no hook {caller.name}; {hint}"
        wanted = colour(caller.spec.function)
        if colour(implementation.function) != wanted and not implementation.wrapper:
            return f"{caller.name} must be {wanted}, not {colour(implementation.function)}"
        if implementation.wrapper and wanted == "async def":
            return f"{caller.name} is async and accepts no wrappers"
    return None


def _audience(caller: Any, tx: Transaction, change: Change) -> list[int]:
    return [key for keys in _refusing(caller, tx, change) for key in keys]


def _refusing(caller: Any, tx: Transaction, change: Change) -> Any:
    """For hooks whose failure refuses the whole transaction."""
    try:
        return caller(tx=tx, change=change)
    except HookFailed as failed:
        raise failed.as_refusal() from failed
