"""Calls the hooks of a node's plugins: in order, each within its budget, on the terms in `specs.py`."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial, wraps
from inspect import iscoroutinefunction
from typing import Any, cast

import attrs
import pluggy

from chatnode.config import Plugins as Settings
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.hooks import Allow, Deny, RequestCheck
from chatnode.errors import STATUS, Refusal, StartError, UnknownName, WrongKind
from chatnode.hooks import prepared, specs
from chatnode.hooks.context import Context, Scope
from chatnode.hooks.guard import FAILURES, HookFailed, ReportFailure, describe_error, guard, is_json, kind_of_function
from chatnode.hooks.held_thread import HeldThread
from chatnode.hooks.only_for import Predicate, fault_of_wanted, wanted_by
from chatnode.hooks.plugin import Plugin
from chatnode.logs import get_logger
from chatnode.model.events import Event
from chatnode.model.metadata import foreign_key
from chatnode.model.people import Account, Person
from chatnode.storage.engine.connection import Querying, Reader
from chatnode.storage.engine.transaction import Change, Follower, Transaction
from chatnode.storage.messages.posting import Draft, as_sent

logger = get_logger("plugins")

MARK = f"{specs.PROJECT}_impl"
"""The attribute that `hookimpl` leaves on a function."""

Call = Callable[..., Awaitable[Any]]
_FOLLOWING = ("audience", "in_transaction")


class Facade:
    """One plugin's guarded hooks, under the names of its functions; registered with pluggy in place of the plugin."""

    def __dir__(self) -> Iterable[str]:
        """The hooks alone: pluggy looks closely at each name, and every object has dozens."""
        return vars(self)


class HookCalls:
    """The hooks of one node's plugins. `report` is called for each failure, with plugin, hook and reason."""

    def __init__(self, settings: Settings, report: Callable[..., None], held_thread: HeldThread) -> None:
        self.scopes: dict[str, Scope] = {}
        """By plugin, once the node is open."""
        self.plugins: frozenset[str] = frozenset()
        """Names of all plugins that the node knows, including those that do not run."""
        self._offers: dict[str, str] = {}
        """The plugin that offers a hook, by the name of the hook."""
        self._report = report
        self._held_thread = held_thread
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
            if hook == "add_hookspecs":
                setattr(facade, hook, self._offering(function, plugin))
                continue
            if marks["wrapper"]:
                setattr(facade, hook, function)
                continue
            if name == "audience":
                function = _giving_keys(function)
            if iscoroutinefunction(function):
                function = self._held_thread.measured(function, plugin, name)
            terms = specs.TERMS.get(name)
            budget = self._budgets[terms.budget if terms else "hook_seconds"]
            guarded = guard(function, plugin, name, budget, self._reporting(plugin))
            if name in ("enrich_messages", "enrich_people"):
                guarded = self._enriching(guarded, plugin, name)
            setattr(facade, hook, guarded)
        return facade

    def _offering(self, function: Callable[..., Any], plugin: str) -> Callable[..., Any]:
        """`add_hookspecs` of a plugin; records which hooks it offers."""

        @wraps(function)
        def offer(add: Callable[[object], None]) -> None:
            def remember(specs: object) -> None:
                before = set(self._names())
                add(specs)
                self._offers.update(dict.fromkeys(set(self._names()) - before, plugin))

            function(remember)

        return offer

    def _reporting(self, plugin: str) -> ReportFailure:
        return partial(self._report, plugin)

    def register(self, plugin: str, hooks: Facade) -> None:
        """The last plugin registered is called first. Raises pluggy's error if a hook's arguments are wrong."""
        self._pluggy.register(hooks, plugin)

    def unregister(self, plugin: str) -> None:
        """Stop calling the plugin's hooks."""
        if self._pluggy.has_plugin(plugin):
            self._pluggy.unregister(name=plugin)

    def fault_of(self, hooks: Facade, commands: Collection[str], events: Collection[str]) -> str | None:
        """What is wrong with a plugin's hooks, or None: one is unknown, async instead of sync or the reverse, or is for
        a command or event that does not exist.

        Call it once all plugins are registered, because a plugin may offer hooks to others.
        """
        for caller in cast("Iterable[Any]", self._pluggy.get_hookcallers(hooks) or ()):
            own = [each.function for each in caller.get_hookimpls() if each.plugin is hooks]
            fault = _fault_of(caller, hooks, self._names()) or fault_of_wanted(caller.name, own, commands, events)
            if fault is not None:
                return fault
        return None

    def _names(self) -> list[str]:
        return [name for name, caller in vars(self._pluggy.hook).items() if getattr(caller, "spec", None) is not None]

    def has(self, hook: str) -> bool:
        """Whether any plugin implements the hook."""
        return bool(getattr(self._pluggy.hook, hook).get_hookimpls())

    # ---- what storage calls

    def follower(self, event: str) -> Follower | None:
        """What plugins do when an event of this name is recorded; None if no plugin follows it."""
        conditions: dict[tuple[str, str], Predicate] = {
            (hook, each.plugin_name): wanted.when
            for hook in _FOLLOWING
            for each in getattr(self._pluggy.hook, hook).get_hookimpls()
            if (wanted := wanted_by(each.function)).includes(event) and wanted.when is not None
        }
        if not conditions:
            return self._follower_without(event, frozenset())
        following = lru_cache(64)(partial(self._follower_without, event))
        nobody = following(frozenset(conditions))
        wanted_by_any = _any_wants(conditions.values())

        def select(recorded: Event) -> Follower | None:
            if not wanted_by_any(recorded):  # as for nearly every message
                return nobody
            unwanted = [
                (hook, plugin)
                for (hook, plugin), when in conditions.items()
                if not self._is_wanted(plugin, hook, when, recorded)
            ]
            return following(frozenset(unwanted))

        return Follower(select=select)

    def _follower_without(self, event: str, unwanted: frozenset[tuple[str, str]]) -> Follower | None:
        """A follower of events with this name, without the hooks of plugins that do not want this event."""
        audience, changed = (self._caller(hook, event, unwanted) for hook in _FOLLOWING)
        if audience is None and changed is None:
            return None
        return Follower(
            partial(_audience, audience) if audience is not None else None,
            partial(_refusing, changed) if changed is not None else None,
        )

    def _caller(self, hook: str, event: str, unwanted: frozenset[tuple[str, str]]) -> Any:
        """A function that calls the hook in the plugins that want the event; None if none does."""
        implementations = getattr(self._pluggy.hook, hook).get_hookimpls()
        others = [
            each.plugin
            for each in implementations
            if (hook, each.plugin_name) in unwanted or not wanted_by(each.function).includes(event)
        ]
        return self._pluggy.subset_hook_caller(hook, others) if len(others) < len(implementations) else None

    def _is_wanted(self, plugin: str, hook: str, when: Predicate | None, subject: object) -> bool:
        """Whether an implementation wants this command, draft or event. If its predicate fails, it is called: a bug
        must not let through what it would refuse."""
        if when is None:
            return True
        try:
            return bool(when(subject))
        except FAILURES as error:
            self._report(plugin, hook, f"failed in `when` of only_for: {describe_error(error)}", error)
            return True

    # ---- what requests call, and the node

    def check_of(self, command: str) -> RequestCheck | None:
        """The check of plugins to run before commands with this name; None if no plugin wants them."""
        asked = [each for each in self._implementations("check_command") if wanted_by(each.function).includes(command)]
        if not asked:
            return None
        return RequestCheck(
            partial(self._check_command, asked, command), _any_wants(wanted_by(each.function).when for each in asked)
        )

    async def _check_command(self, asked: Sequence[Any], name: str, ctx: Caller, command: Any) -> None:
        for plugin, check in self._calls("check_command", asked, ctx, command, name=name, command=command):
            try:
                verdict = await check()
                if not isinstance(verdict, Allow | Deny):
                    self._report(plugin, "check_command", "returned something other than Allow or Deny")
                    raise HookFailed(plugin, "check_command", "returned something other than Allow or Deny")
            except HookFailed as failed:
                raise failed.as_refusal() from failed
            if isinstance(verdict, Deny):
                raise Refusal(verdict.code if verdict.code in STATUS else "forbidden", verdict.reason)

    def wants_draft(self) -> Callable[[Draft], bool]:
        """Tells whether any plugin wants to prepare a draft, or has a predicate that fails."""
        return _any_wants(wanted_by(each.function).when for each in self._implementations("prepare_draft"))

    async def prepare_draft(self, ctx: Caller, draft: Draft) -> None:
        """Plugins get a copy, of which only text, metadata, content and files are used, because access was checked for
        the rest.

        Each plugin's predicate sees the draft as the previous plugins left it.
        """
        after = prepared.copied(draft)
        implementations = self._implementations("prepare_draft")
        for plugin, prepare in self._calls("prepare_draft", implementations, ctx, after, draft=after):
            before = prepared.copied(after)
            before.kind = draft.kind  # of which a plugin before may have left another, which is not used
            try:
                await prepare()
                self._check_prepared(plugin, before, after)
                self._check_metadata(plugin, before.metadata or {}, after.metadata or {})
            except HookFailed as failed:
                raise failed.as_refusal() from failed
        if after.text != draft.text or after.content != draft.content:
            draft.sent = as_sent(draft)
        draft.text, draft.metadata = after.text, after.metadata
        draft.content, draft.files = after.content, after.files

    def _check_prepared(self, plugin: str, before: Draft, after: Draft) -> None:
        """Raises `HookFailed` if a plugin left a draft that nobody could post."""
        if (what := prepared.fault_of(before, after)) is not None:
            self._report(plugin, "prepare_draft", what)
            raise HookFailed(plugin, "prepare_draft", what)

    def _check_metadata(self, plugin: str, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        """Raises `HookFailed` if a plugin changed another plugin's metadata."""
        changed = {key: "" for key in {**before, **after} if before.get(key) != after.get(key)}
        if (found := foreign_key(changed, self.plugins, plugin)) is not None:
            what = f"changed the metadata key {found[0]}, which only the plugin {found[1]} may write"
            self._report(plugin, "prepare_draft", what)
            raise HookFailed(plugin, "prepare_draft", what)

    def _implementations(self, hook: str) -> list[Any]:
        """Implementations of an async hook, in the order in which they are called."""
        return list(reversed(getattr(self._pluggy.hook, hook).get_hookimpls()))

    def _calls(
        self, hook: str, implementations: Iterable[Any], caller: Caller | None, subject: object, /, **arguments: Any
    ) -> Iterator[tuple[str, Call]]:
        """The implementations that want `subject`, each ready to call, with its plugin's name.

        With a `caller`, each gets its own plugin's context for that caller.
        """
        for each in implementations:
            if not self._is_wanted(each.plugin_name, hook, wanted_by(each.function).when, subject):
                continue
            if caller is not None:
                arguments["ctx"] = Context(caller, self.scopes[each.plugin_name])
            values = [arguments[name] for name in each.argnames]
            yield each.plugin_name, partial(each.function, *values)

    def enrich_messages(
        self, reader: Querying, ids: Sequence[str], viewer: Account | None
    ) -> list[tuple[str, Mapping[str, Any]]]:
        return self._enrichments("enrich_messages", reader=reader, ids=ids, viewer=viewer)

    def enrich_people(self, reader: Reader, people: Sequence[Person], viewer: Account | None) -> list[Person]:
        enriched, ids = list(people), [person.id for person in people]
        for plugin, known in self._enrichments("enrich_people", reader=reader, ids=ids, viewer=viewer):
            for index, person in enumerate(enriched):
                if (extra := known.get(person.id)) is not None:
                    enriched[index] = attrs.evolve(person, extra={**(person.extra or {}), plugin: extra})
        return enriched

    def _enrichments(self, hook: str, **arguments: Any) -> list[tuple[str, Mapping[str, Any]]]:
        """What each plugin returned; nothing at all if a wrapper fails, because wrappers run outside the barriers."""
        try:
            return [(plugin, known) for plugin, known in getattr(self._pluggy.hook, hook)(**arguments)]
        except FAILURES:
            logger.exception("a wrapper of the hook %s failed", hook)
            return []

    def _enriching(self, guarded: Callable[..., Any], plugin: str, hook: str) -> Callable[..., Any]:
        """`guarded`, returning the plugin's name with its result, or None if it fails, which pluggy leaves out."""

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

    async def notify_all(self, hook: str, contexts: Mapping[str, Context]) -> None:
        """Call `node_started` or `node_stopping` of every plugin, with its context; failures are reported."""
        for implementation in self._implementations(hook):
            context = contexts[implementation.plugin_name]
            try:
                await implementation.function(*([context] if implementation.argnames else []))
            except Refusal as refusal:
                self._report(implementation.plugin_name, hook, f"raised {refusal}", refusal)
            except HookFailed:
                continue

    async def ask(self, plugin: Plugin, caller: Caller, hook: str, /, **arguments: Any) -> list[Any]:
        """Call a hook that the plugin, or one that it requires, offers. Raises `Refusal` if an implementation fails and
        the hook's failure refuses.
        """
        offering = self._offers.get(hook)
        if offering is None:
            raise UnknownName(f"no plugin offers the hook {hook}")
        if offering != plugin.name and offering not in plugin.requires:
            raise UnknownName(f"the hook {hook} belongs to the plugin {offering}, which {plugin.name} does not require")
        gave: list[Any] = []
        spec = getattr(self._pluggy.hook, hook).spec.function
        is_async, refuses = kind_of_function(spec) == "async def", getattr(spec, specs.REFUSES, False)
        for _, call in self._calls(hook, self._implementations(hook), caller, None, **arguments):
            try:
                gave.append(await call() if is_async else call())
            except HookFailed as failed:
                if refuses:
                    raise failed.as_refusal() from failed
            except Refusal:
                if refuses:
                    raise
        return gave


def _fault_of(caller: Any, facade: Facade, known: list[str]) -> str | None:
    """What is wrong with a plugin's implementations of one hook; None if nothing is."""
    for implementation in caller.get_hookimpls():
        if implementation.plugin is not facade:
            continue
        if caller.spec is None and implementation.optionalhook:
            continue  # of a plugin that is not there
        if caller.spec is None:
            near: list[str] = difflib.get_close_matches(str(caller.name), known, 1)
            hint = f"did you mean {near[0]}?" if near else f"hooks are {', '.join(sorted(known))}"
            return f"there is no hook {caller.name}; {hint}"
        wanted = kind_of_function(caller.spec.function)
        if kind_of_function(implementation.function) != wanted and not implementation.wrapper:
            return f"{caller.name} must be {wanted}, not {kind_of_function(implementation.function)}"
        if implementation.wrapper and wanted == "async def":
            return f"{caller.name} is async and accepts no wrappers"
    return None


def _giving_keys(audience: Callable[..., Iterable[int] | None]) -> Callable[..., list[int]]:
    """`audience`, which fails if it returns anything but keys: nobody would be notified, or the whole write would
    fail."""

    @wraps(audience)
    def run(*arguments: Any) -> list[int]:
        keys = cast("object", audience(*arguments) or ())
        if isinstance(keys, str | bytes) or not isinstance(keys, Iterable):
            raise WrongKind(f"audience must return keys of users, not {type(keys).__name__}")
        found = [*cast("Iterable[object]", keys)]
        if wrong := [key for key in found if type(key) is not int]:
            raise WrongKind(f"audience must return keys of users, which are integers, not {type(wrong[0]).__name__}")
        return cast("list[int]", found)

    return run


def _audience(caller: Any, tx: Transaction, change: Change) -> list[int]:
    return [key for keys in _refusing(caller, tx, change) for key in keys]


def _refusing(caller: Any, tx: Transaction, change: Change) -> Any:
    """For hooks whose failure refuses the whole transaction."""
    try:
        return caller(tx=tx, change=change)
    except HookFailed as failed:
        raise failed.as_refusal() from failed


def _any_wants(predicates: Iterable[Predicate | None]) -> Callable[[Any], bool]:
    """Tells whether any of them wants a subject: True, or failing. None wants everything.

    The predicates are looked up once, as this is asked of every message.
    """
    asked = tuple(predicates)
    if None in asked:
        return lambda subject: True
    conditions = cast("tuple[Predicate, ...]", asked)

    def wants(subject: Any) -> bool:
        try:
            for when in conditions:
                if when(subject):
                    return True
        except FAILURES:  # reported when the hook is called
            return True
        return False

    return wants
