"""The plugins of one node: loaded, checked, registered; what each adds, and how each fares.

Every node has its own manager, so that two nodes in one process do not see each other's plugins. A plugin that cannot
be loaded, or whose declaration, hooks or tables are at fault, is broken: it is named with the reason, and everything
else goes on without it.
"""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial, wraps
from typing import Any, cast

import attrs
import pluggy

from chatnode.config import Config, settings_of
from chatnode.dispatch.context import Context
from chatnode.dispatch.core import Core
from chatnode.dispatch.hooks import Allow, Deny, Figure, Probe
from chatnode.dispatch.jobs import Job
from chatnode.dispatch.limits import Rate
from chatnode.errors import STATUS, Refusal, StartError
from chatnode.hooks import declared, specs
from chatnode.hooks.context import PluginContext
from chatnode.hooks.discovery import Installed
from chatnode.hooks.guard import HookFailed, colour, guard, is_json
from chatnode.hooks.plugin import Plugin, Task
from chatnode.logs import get_logger
from chatnode.model.events import EVENTS
from chatnode.model.messages import Message
from chatnode.model.people import Person
from chatnode.model.plugins import PluginState, PluginStatus
from chatnode.storage import plugins as storage
from chatnode.storage.connection import Reader, connect_writer
from chatnode.storage.directory import DataDirectory
from chatnode.storage.hooks import Change, Follower, StorageHooks
from chatnode.storage.messages import Draft
from chatnode.storage.migrations import Migration
from chatnode.storage.transaction import Transaction
from chatnode.storage.upgrading import copy_before

logger = get_logger("plugins")

_MARK = f"{specs.PROJECT}_impl"
Call = Callable[..., Awaitable[Any]]


class Facade:
    """The hooks of one plugin, guarded, under the names of its functions; what pluggy knows as the plugin."""


@attrs.define
class Loaded:
    """A plugin that runs. `context` is there once the node is open."""

    plugin: Plugin
    settings: Any
    hooks: Facade
    context: PluginContext = attrs.field(init=False)


class Manager:
    """`loaded` are the plugins that run, by name; `statuses` tells of all that are installed."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.loaded: dict[str, Loaded] = {}
        self._budgets: dict[specs.Budget, float] = {
            "hook_seconds": config.plugins.hook_seconds,
            "transaction_seconds": config.plugins.transaction_seconds,
            "start_seconds": config.plugins.start_seconds,
        }
        self.storage = StorageHooks()
        self._statuses: dict[str, PluginStatus] = {}
        self._pluggy = pluggy.PluginManager(specs.PROJECT)
        self._pluggy.add_hookspecs(specs)
        self._pluggy.hook.add_hookspecs.call_historic(kwargs={"add": self._pluggy.add_hookspecs})

    # ---- loading

    def load(self, found: Iterable[Installed], directory: DataDirectory, commands: Iterable[str]) -> None:
        """Load what is installed and not disabled. `commands` are the names of the node's own.

        The caller holds the directory's lock, and the core's tables are up to date.
        """
        taken = declared.Taken(set(commands))
        with closing(connect_writer(directory.database, self.config.storage)) as connection:
            known = storage.known(connection)
            for each in sorted(found, key=lambda each: each.name):
                if each.name in self.config.plugins.disabled or (each.name in known and known[each.name].disabled):
                    self._note(each, "disabled", "")
                else:
                    self._take(each, taken)
            for name in reversed(list(self.loaded)):  # pluggy calls what was registered last first
                self._register(name)
            self._refuse_unknown_hooks()
            for name in list(self.loaded):
                self._prepare(name, connection, directory)
            self.storage.tables = [table for each in storage.known(connection).values() for table in each.tables]
        for name in sorted(set(self.config.of_plugins) - set(self._statuses)):
            logger.warning("there are settings for a plugin %s, which is not installed", name)
        self._set_storage_hooks()

    def _take(self, found: Installed, taken: declared.Taken) -> None:
        """Import and check."""
        try:
            source = found.load()
            plugin = declaration(source)
            if plugin.name != found.name:
                raise StartError(f"it is installed as {found.name} and says that its name is {plugin.name}")
            declared.check(plugin, taken)
            settings = settings_of(self.config, plugin.name, plugin.settings) if plugin.settings else None
            self.loaded[plugin.name] = Loaded(plugin, settings, self._guarded(source, plugin.name))
        except Exception as error:
            self._note(found, "broken", "")
            self._say_broken(found.name, error)
        else:
            self._note(attrs.evolve(found, version=plugin.version), "running", plugin.about)

    def _register(self, name: str) -> None:
        try:
            self._pluggy.register(self.loaded[name].hooks, name)
        except Exception as error:
            self._drop(name, error)

    def _guarded(self, source: Any, plugin: str) -> Facade:
        """The plugin's hooks, each within its budget and behind a barrier."""
        facade = Facade()
        for hook in dir(source):
            function = getattr(source, hook)
            marks: Mapping[str, Any] | None = getattr(function, _MARK, None)
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
            guarded = guard(function, plugin, name, budget, partial(self.report, plugin))
            if name in ("enrich_messages", "enrich_people"):
                guarded = self._enriching(guarded, plugin, name)
            setattr(facade, hook, guarded)
        return facade

    def _refuse_unknown_hooks(self) -> None:
        """A misspelt hook, or one of the wrong colour, would never be called: it is named, and the plugin does not run.

        After all were registered, because a plugin may offer hooks to others.
        """
        for name in list(self.loaded):
            facade = self.loaded[name].hooks
            for caller in self._pluggy.get_hookcallers(facade) or ():
                fault = _fault_of(caller, facade, self._hook_names())
                if fault is not None:
                    self._drop(name, StartError(fault))
                    break

    def _hook_names(self) -> list[str]:
        return [name for name, caller in vars(self._pluggy.hook).items() if getattr(caller, "spec", None) is not None]

    def _prepare(self, name: str, connection: Reader, directory: DataDirectory) -> None:
        plugin = self.loaded[name].plugin
        steps = [Migration(name, step.name, step.sql) for step in plugin.steps]
        roles = {each.name: each.roles for each in plugin.permissions}
        try:
            done, keep = storage.applied(connection, name), self.config.backup.keep_before_migration
            if done and keep and any(step.name not in done for step in steps):
                copy_before(directory, f"{name}-{plugin.version}", keep)
            storage.prepare(connection, name, plugin.version, steps, plugin.tables, roles)
        except Exception as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._drop(name, error)

    def _drop(self, name: str, error: Exception) -> None:
        """A plugin that was registered does not run after all."""
        if self._pluggy.has_plugin(name):
            self._pluggy.unregister(name=name)
        del self.loaded[name]
        self._say_broken(name, error)

    def _say_broken(self, name: str, error: Exception) -> None:
        status = self._statuses[name]
        status.state, status.reason = "broken", _reason(error)
        expected = isinstance(error, StartError | ModuleNotFoundError | pluggy.PluginValidationError)
        logger.error("the plugin %s does not run: %s", name, status.reason, exc_info=None if expected else error)

    def _note(self, found: Installed, state: PluginState, about: str) -> None:
        self._statuses[found.name] = PluginStatus(found.name, found.version, state, about, found.distribution)

    # ---- what is added to the node

    def _hook(self, name: str) -> Any:
        """The caller of a hook that somebody implements, else None."""
        caller = getattr(self._pluggy.hook, name)
        return caller if caller.get_hookimpls() else None

    def _set_storage_hooks(self) -> None:
        hooks, declared_events = self.storage, [kind for each in self.loaded.values() for kind in each.plugin.events]
        hooks.events = {kind.event.name: kind for kind in declared_events}
        hooks.permissions = {
            each.name: each.meaning for loaded in self.loaded.values() for each in loaded.plugin.permissions
        }
        hooks.checks = {
            f"plugin {name}": partial(self._problems, name) for name, each in self.loaded.items() if each.plugin.check
        }
        followers = {name: self._follower(name) for name in (*EVENTS, *hooks.events)}
        hooks.followers = {name: each for name, each in followers.items() if each is not None}
        if self._hook("enrich_messages") is not None:
            hooks.enrich_messages = self._enrich_messages
        if self._hook("enrich_people") is not None:
            hooks.enrich_people = self._enrich_people

    def _follower(self, event: str) -> Follower | None:
        """What plugins do when an event of this name is recorded; None when nobody follows it."""
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

    def _problems(self, name: str, reader: Reader) -> list[str]:
        """What the plugin's own check finds. It may take as long as the node's own checks."""
        check = self.loaded[name].plugin.check
        assert check is not None
        try:
            return check(reader)
        except Exception as error:
            self.report(name, "check", f"raised {type(error).__name__}")
            return [f"the check of the plugin {name} raised {type(error).__name__}: {error}"]

    def add_to(self, core: Core, call: Call) -> None:
        """Add what the plugins declare to an open node; `call` runs commands as its operator."""
        core.plugins = self
        for name, each in self.loaded.items():
            plugin = each.plugin
            each.context = PluginContext(core, plugin, call, self.ask)
            if plugin.settings is not None:
                core.of_plugins[plugin.settings] = each.settings
            for limit in plugin.limits:
                core.rates[limit.name] = Rate(limit.what, getattr(each.settings, limit.setting))
            for collection in plugin.collections:
                core.collections.add(collection)
            for task in plugin.tasks:
                if task.every is not None:
                    core.jobs.add(_job(name, task, each))
        if self._hook("check_command") is not None:
            core.hooks.check_command = self._check_command
        if self._hook("prepare_draft") is not None:
            core.hooks.prepare_draft = self._prepare_draft

    def statuses(self) -> list[PluginStatus]:
        """Every plugin that is installed, in the order of their names."""
        return [self._statuses[name] for name in sorted(self._statuses)]

    def probes(self) -> dict[str, Probe]:
        """By the name of the plugin, what it is asked when somebody asks whether the node is well."""
        return {
            name: partial(each.plugin.health, each.context)
            for name, each in self.loaded.items()
            if each.plugin.health is not None
        }

    def figures(self) -> list[Figure]:
        """What the plugins add to the metrics."""
        return [
            Figure(name, each.name, each.help, partial(each.value, loaded.context) if each.value else None)
            for name, loaded in self.loaded.items()
            for each in loaded.plugin.metrics
        ]

    async def ask_figure(self, figure: Figure) -> float | None:
        """The value of a plugin's metric now; None when it cannot be had."""
        assert figure.value is not None
        report = partial(self.report, figure.plugin)
        ask = guard(figure.value, figure.plugin, f"metric {figure.name}", self._budgets["hook_seconds"], report)
        try:
            return float(await ask())
        except (HookFailed, Refusal, TypeError, ValueError):
            return None

    def __iter__(self) -> Iterator[Loaded]:
        return iter(self.loaded.values())

    # ---- calling hooks

    async def _check_command(self, ctx: Context, name: str, command: Any) -> None:
        for plugin, check in self._calls("check_command", ctx=ctx, name=name, command=command):
            try:
                verdict = await check()
                if not isinstance(verdict, Allow | Deny):
                    self.report(plugin, "check_command", "gave something else than Allow or Deny")
                    raise HookFailed(plugin, "check_command", "gave something else than Allow or Deny")
            except HookFailed as failed:
                raise failed.as_refusal() from failed
            if isinstance(verdict, Deny):
                raise Refusal(verdict.code if verdict.code in STATUS else "forbidden", verdict.reason)

    async def _prepare_draft(self, ctx: Context, draft: Draft) -> None:
        before = attrs.evolve(draft)
        for _, prepare in self._calls("prepare_draft", ctx=ctx, draft=draft):
            try:
                await prepare()
            except HookFailed as failed:
                raise failed.as_refusal() from failed
        draft.conversation, draft.cid, draft.edits = before.conversation, before.cid, before.edits
        draft.prepared = draft != before

    def _calls(self, hook: str, **arguments: Any) -> Iterator[tuple[str, Call]]:
        """An async hook's implementations in their order, each with its plugin's name and ready to be called."""
        for implementation in reversed(getattr(self._pluggy.hook, hook).get_hookimpls()):
            values = [arguments[name] for name in implementation.argnames]
            yield implementation.plugin_name, partial(implementation.function, *values)

    def _enrich_messages(self, reader: Reader | Transaction, messages: Sequence[Message]) -> None:
        for plugin, known in self._pluggy.hook.enrich_messages(reader=reader, messages=messages):
            for message in messages:
                if (extra := known.get(message.message)) is not None:
                    message.extra = {**(message.extra or {}), plugin: extra}

    def _enrich_people(self, reader: Reader, people: Sequence[Person]) -> list[Person]:
        enriched = list(people)
        for plugin, known in self._pluggy.hook.enrich_people(reader=reader, people=people):
            for index, person in enumerate(enriched):
                if (extra := known.get(person.id)) is not None:
                    enriched[index] = attrs.evolve(person, extra={**(person.extra or {}), plugin: extra})
        return enriched

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
            self.report(plugin, hook, "gave something else than a mapping of what JSON has")
            return None

        return run

    async def tell(self, hook: str) -> None:
        """Call `node_started` or `node_stopping` of every plugin; who fails was reported."""
        for implementation in reversed(getattr(self._pluggy.hook, hook).get_hookimpls()):
            context = self.loaded[implementation.plugin_name].context
            try:
                await implementation.function(*([context] if implementation.argnames else []))
            except Refusal as refusal:
                self.report(implementation.plugin_name, hook, f"raised {refusal}")
            except HookFailed:
                continue

    async def ask(self, hook: str, /, **arguments: Any) -> list[Any]:
        """Call a hook that a plugin offers; what failed is left out."""
        caller = getattr(self._pluggy.hook, hook, None)
        if caller is None or caller.spec is None:
            raise LookupError(f"no plugin offers a hook {hook}")
        gave: list[Any] = []
        is_async = colour(caller.spec.function) == "async def"
        for _, call in self._calls(hook, **arguments):
            try:
                gave.append(await call() if is_async else call())
            except (HookFailed, Refusal):
                continue
        return gave

    # ---- failures

    def report(self, plugin: str, hook: str, what: str) -> None:
        """A hook failed, or was slow; also called in threads of the database."""
        status = self._statuses[plugin]
        status.failures += 1
        status.last_failure = f"{hook} {what}"
        logger.error("the plugin %s: %s %s", plugin, hook, what)


def declaration(source: Any) -> Plugin:
    """What `chatnode_plugin` gives; raises `StartError`."""
    declare = getattr(source, "chatnode_plugin", None)
    if getattr(declare, _MARK, None) is None:
        raise StartError("it has no function chatnode_plugin marked with hookimpl")
    plugin = declare() if callable(declare) else None
    if not isinstance(plugin, Plugin):
        raise StartError("its chatnode_plugin does not give a Plugin")
    return plugin


def _fault_of(caller: Any, facade: Facade, known: list[str]) -> str | None:
    """What is wrong with a plugin's implementations of one hook."""
    for implementation in caller.get_hookimpls():
        if implementation.plugin is not facade:
            continue
        if caller.spec is None:
            near: list[str] = difflib.get_close_matches(str(caller.name), known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
            return f"there is no hook {caller.name}; {hint}"
        wanted = colour(caller.spec.function)
        if colour(implementation.function) != wanted and not implementation.wrapper:
            return f"{caller.name} must be {wanted}, and is {colour(implementation.function)}"
        if implementation.wrapper and wanted == "async def":
            return f"{caller.name} is async, and takes no wrappers"
    return None


def _audience(caller: Any, tx: Transaction, change: Change) -> list[int]:
    return [key for keys in _refusing(caller, tx, change) for key in keys]


def _refusing(caller: Any, tx: Transaction, change: Change) -> Any:
    """For hooks whose failure refuses the whole transaction."""
    try:
        return caller(tx=tx, change=change)
    except HookFailed as failed:
        raise failed.as_refusal() from failed


def _job(name: str, task: Task, loaded: Loaded) -> Job:
    async def run(core: Core) -> str | None:
        return await task.run(loaded.context)

    def period(config: Config) -> float:
        return task.every(loaded.settings) if callable(task.every) else task.every or 0.0

    return Job(f"{name}.{task.name}", period, run)


def _reason(error: Exception) -> str:
    """For whoever runs the node, who may not have written the plugin."""
    if isinstance(error, StartError):
        return str(error)
    return f"{type(error).__name__}: {error}"
