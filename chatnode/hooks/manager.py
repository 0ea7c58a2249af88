"""The plugins of one node: loading, checking, registering, what they add, and their status.

Every node has its own manager, so that two nodes in one process do not see each other's plugins. A plugin that cannot
be loaded, or whose declaration, hooks or tables are invalid, is broken: it is reported with the reason, and the node
runs without it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial, wraps
from math import inf
from time import monotonic
from typing import Any

import attrs
import pluggy

from chatnode.config import Config, settings_of
from chatnode.dispatch.caller import Caller
from chatnode.dispatch.core import Core
from chatnode.dispatch.hooks import RequestHooks
from chatnode.dispatch.jobs import Job, JobRunner
from chatnode.dispatch.limits import Rate
from chatnode.dispatch.subject import Subject, additions_of
from chatnode.dispatch.table import Command, HandlerResult
from chatnode.errors import Refusal, StartError, UnknownName, WrongKind
from chatnode.garbage import not_collected
from chatnode.hooks import declared
from chatnode.hooks.calls import Facade, HookCalls
from chatnode.hooks.context import Context, Scope
from chatnode.hooks.discovery import Installed
from chatnode.hooks.failure_counts import with_failures_counted
from chatnode.hooks.guard import FAILURES, HookFailed, ReportFailure, describe_error, guard
from chatnode.hooks.guarded import Guarded
from chatnode.hooks.held_thread import HeldThread
from chatnode.hooks.needed_permissions import check_permissions
from chatnode.hooks.plugin import Plugin, Task
from chatnode.hooks.requiring import circle_of, in_order
from chatnode.hooks.unwilling import Stop, run_cancellable
from chatnode.logs import describe, get_logger
from chatnode.model.plugins import PluginState, PluginStatus
from chatnode.model.records import record
from chatnode.storage.engine.additions import Additions
from chatnode.storage.engine.connection import Reader, connect_writer
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.engine.migrations import Migration
from chatnode.storage.node import declared_sql, plugin_directories, step_hashes
from chatnode.storage.node import plugins as storage
from chatnode.storage.upkeep.upgrading import copy_before

logger = get_logger("plugins")

_HELD_LOG_SECONDS = 300.0

Probe = Callable[[], Awaitable[Mapping[str, Any] | None]]


@record(frozen=True)
class Figure:
    """A metric of a plugin: a counter, or computed with `value`."""

    plugin: str
    name: str
    help: str
    value: Callable[[], Awaitable[float]] | None

    @property
    def shown(self) -> str:
        """Its name in the metrics; a counter's ends in _total."""
        name = f"chatnode_{self.plugin}_{self.name}"
        return f"{name}_total" if self.value is None and not name.endswith("_total") else name


@record
class Loaded:
    """A running plugin. `scope`, and `context` (for work without a requester), are set once the node is open."""

    plugin: Plugin
    settings: Any
    hooks: Facade
    scope: Scope = attrs.field(init=False)
    context: Context = attrs.field(init=False)

    def context_of(self, caller: Caller) -> Context:
        """The plugin's context for a request."""
        return Context(caller, self.scope)


class Manager:
    """`loaded` are the running plugins by name; `statuses` lists all that are installed.

    `additions` is what storage needs to know of the core's `subjects` and, once they are loaded, of the plugins.
    """

    def __init__(self, config: Config, subjects: Sequence[Subject]) -> None:
        self.config = config
        self._subjects = subjects
        self.loaded: dict[str, Loaded] = {}
        self.additions: Additions = additions_of(subjects)
        self.additions.limits = config.limits
        self._statuses: dict[str, PluginStatus] = {}
        self._names: frozenset[str] = frozenset()
        self._held_thread = HeldThread(config.plugins.thread_seconds, self._report_held)
        self._held_logged: dict[tuple[str, str], float] = {}
        """When the log last said so of a function."""
        self._calls = HookCalls(config.plugins, self.report, self._held_thread)
        self.installed: dict[str, Installed] = {}
        self._directory: DataDirectory
        self.jobs_stop = Stop()
        """Waits beside the node's jobs, among which are the periodic tasks of plugins."""
        self._copied = False

    # ---- loading

    def load(self, found: Iterable[Installed], directory: DataDirectory, *, copied: bool = False) -> Reader:
        """Load what is installed and not disabled. Returns the writing connection that the plugins' tables were
        prepared with, which knows all tables; the caller closes it.

        The caller holds the directory's lock, and the core's tables are up to date. `copied`: the database was copied
        before it was upgraded, just now.
        """
        self._copied = copied
        found = list(found)
        self.installed = {each.name: each for each in found}
        self._directory = directory
        plugin_directories.finish_drops(directory.plugins)
        connection = connect_writer(directory.database, self.config.storage)
        try:
            missing = self._load_all(found, connection)
            self._fill_additions()
        except BaseException:
            connection.close()
            raise
        for table in missing:
            logger.error("the table %s of a plugin no longer exists; it cannot be erased or exported", table)
        for name in sorted(set(self.config.of_plugins) - set(self._statuses)):
            logger.warning("settings name the plugin %s, which is not installed", name)
        for name in sorted(set(self.config.plugins.disabled) - set(self._statuses)):
            logger.warning("plugins.disabled names %s, which is not installed", name)
        return connection

    def _load_all(self, found: Sequence[Installed], connection: Reader) -> list[str]:
        """Returns the tables that plugins declared and that are gone."""
        taken = declared.Taken.by(self._subjects)
        known = storage.known(connection)
        for each in sorted(found, key=lambda each: each.name):
            if each.name in self.config.plugins.disabled or (each.name in known and known[each.name].disabled):
                self._set_status(each, "disabled", "")
            else:
                self._load_plugin(each, taken)
        self._order()
        self._drop_unmet()
        self._refuse_unknown_permissions()
        self._drop_unmet()
        for name in reversed(list(self.loaded)):  # pluggy calls what was registered last first
            self._register(name)
        self._refuse_faulty_hooks(taken)
        for name in list(self.loaded):
            self._drop_unmet()
            if name in self.loaded:
                self._prepare(name, connection, self._directory)
        self._drop_unmet()
        self._calls.plugins = self._names = frozenset([*self._statuses, *known])
        of_plugins, missing = storage.declared_tables(connection)
        self.additions.tables = [*self.additions.tables, *of_plugins]
        return missing

    def _load_plugin(self, found: Installed, taken: declared.Taken) -> None:
        """Import and check."""
        try:
            with not_collected():
                source = found.load()
            plugin = declared.declaration(source)
            if plugin.name != found.name:
                raise StartError(f"it is installed as {found.name} but declares the name {plugin.name}")
            declared.check(plugin, taken)
            settings = settings_of(self.config, plugin.name, plugin.settings) if plugin.settings else None
            plugin = self._held_thread.all_measured(plugin)
            plugin = with_failures_counted(plugin, partial(self.report, plugin.name))
            self.loaded[plugin.name] = Loaded(plugin, settings, self._calls.guarded(source, plugin.name))
        except FAILURES as error:
            self._set_status(found, "broken", "")
            self._mark_broken(found.name, error)
        else:
            self._set_status(found._replace(version=plugin.version), "running", plugin.about)

    def _order(self) -> None:
        """Order plugins after those that they require; those that require each other in a circle do not run."""
        requires = {name: tuple(each.plugin.requires) for name, each in self.loaded.items()}
        circles = {name: circle for name in requires if (circle := circle_of(name, requires)) is not None}
        for name, circle in circles.items():
            self._drop(name, StartError(f"its requirements form a cycle: {' → '.join(circle)}"))
        self.loaded = {name: self.loaded[name] for name in in_order(requires) if name in self.loaded}

    def _drop_unmet(self) -> None:
        """Drop plugins whose requirements do not run; in loading order, so that this cascades."""
        for name, each in list(self.loaded.items()):
            for needed in each.plugin.requires:
                if needed not in self.loaded:
                    why = self._why_not(needed)
                    self._drop(name, StartError(f"the plugin {name} requires the plugin {needed}, which {why}"))
                    break

    def _refuse_unknown_permissions(self) -> None:
        """Once all are loaded, because a plugin may use the permissions of those that it requires."""
        loaded = self.plugins
        for name, plugin in loaded.items():
            try:
                check_permissions(plugin, loaded)
            except StartError as error:
                self._drop(name, error)

    def _why_not(self, name: str) -> str:
        """Why a plugin does not run."""
        status = self._statuses.get(name)
        if status is None:
            return "is not installed"
        return "is disabled" if status.state == "disabled" else f"does not run: {status.reason}"

    def _register(self, name: str) -> None:
        try:
            self._calls.register(name, self.loaded[name].hooks)
        except FAILURES as error:
            self._drop(name, error)

    def _refuse_faulty_hooks(self, taken: declared.Taken) -> None:
        """A plugin with a misspelt hook, or with a sync hook in place of an async one, does not run, and the reason
        names it.

        Call it once all plugins are registered, because a plugin may offer hooks to others.
        """
        for name, each in list(self.loaded.items()):
            if (fault := self._calls.fault_of(each.hooks, taken.commands, taken.events)) is not None:
                self._drop(name, StartError(fault))

    def _prepare(self, name: str, connection: Reader, directory: DataDirectory) -> None:
        plugin = self.loaded[name].plugin
        steps = [Migration(name, step.name, step.sql, step.functions) for step in plugin.steps]
        permissions = {each.name: self._with_extending(each.roles) for each in plugin.permissions}
        roles = {each.name: each.permissions for each in plugin.roles}
        extends = {each.name: each.extends for each in plugin.roles if each.extends is not None}
        try:
            done = storage.applied(connection, name)
            missing = [step.name for step in steps if done and step.name not in done]
            if missing:
                self._copy_once(directory, f"{name}-{plugin.version}")
            plugin_directories.prepare(directory.of_plugin(name))
            storage.prepare(connection, name, plugin.version, steps, plugin.tables, permissions, roles, extends)
            for step in missing:
                logger.info("applied migration %s/%s", name, step)
            for step in step_hashes.changed(connection, name, steps):
                logger.warning(
                    "the plugin %s: the step %s was changed after it was applied here, which has no effect; change it "
                    "back, and add a step", name, step,
                )  # fmt: skip
            for collection in plugin.collections:
                declared_sql.check_collection(connection, collection)
            for consumer in plugin.consumers:
                if consumer.where is not None:
                    declared_sql.check_condition(connection, consumer.name, consumer.where)
        except Exception as error:
            self._drop(name, error)

    def _copy_once(self, directory: DataDirectory, change: str) -> None:
        """Before the first upgrade of this start: a copy for each plugin would soon replace the one from before all."""
        keep = self.config.backup.keep_before_migration
        if keep and not self._copied:
            logger.info("the old database is kept as %s", copy_before(directory, change, keep))
            self._copied = True

    def _with_extending(self, roles: Sequence[str]) -> list[str]:
        """The roles, and those of plugins that extend them."""
        offered = [role for each in self.loaded.values() for role in each.plugin.roles]
        return [*roles, *(role.name for role in offered if role.extends in roles)]

    def _drop(self, name: str, error: BaseException) -> None:
        """Unregister a plugin that does not run after all."""
        self._calls.unregister(name)
        del self.loaded[name]
        self._mark_broken(name, error)

    def _mark_broken(self, name: str, error: BaseException) -> None:
        status = self._statuses[name]
        status.state, status.reason = "broken", _reason(error)
        expected = isinstance(error, StartError | ModuleNotFoundError | pluggy.PluginValidationError)
        logger.error("the plugin %s is not running: %s", name, status.reason, exc_info=None if expected else error)

    def _set_status(self, found: Installed, state: PluginState, about: str) -> None:
        self._statuses[found.name] = PluginStatus(found.name, found.version, state, about, found.distribution)

    # ---- what is added to the node

    def _fill_additions(self) -> None:
        added = self.additions
        added.events = {
            **added.events,
            **{
                kind.event.name: self._guarded(name).event(kind)
                for name, each in self.loaded.items()
                for kind in each.plugin.events
            },
        }
        added.permissions = {
            each.name: each.meaning for loaded in self.loaded.values() for each in loaded.plugin.permissions
        }
        added.plugin_checks = {
            f"plugin {name}": self._guarded(name).check(each.plugin.check, self._directory.of_plugin(name))
            for name, each in self.loaded.items()
            if each.plugin.check is not None
        }
        followers = {name: self._calls.follower(name) for name in added.events}
        added.followers = {
            name: attrs.evolve(each, make=added.events[name].make)
            for name, each in followers.items()
            if each is not None
        }
        added.work_ended = {
            f"{name}.{kind.name}": self._guarded(name).end_of_work(kind)
            for name, each in self.loaded.items()
            for kind in each.plugin.works
            if kind.ended is not None
        }
        if self._calls.has("enrich_messages"):
            added.enrich_messages = self._calls.enrich_messages
        if self._calls.has("enrich_people"):
            added.enrich_people = self._calls.enrich_people

    def _guarded(self, name: str) -> Guarded:
        return Guarded(name, self.config.plugins, partial(self.report, name))

    @property
    def plugins(self) -> dict[str, Plugin]:
        """The declarations of the running plugins."""
        return {name: each.plugin for name, each in self.loaded.items()}

    def request_hooks(self) -> RequestHooks:
        """The plugins' checks before a command runs."""
        calls = self._calls
        return RequestHooks(
            calls.check_of,
            calls.prepare_draft if calls.has("prepare_draft") else None,
            calls.wants_draft(),
            self._names,
        )

    def commands(self) -> list[Command[Any, Any]]:
        """The plugins' commands, with handlers that get their plugin's context."""
        return [_bound(each, command) for each in self for command in each.plugin.commands]

    def add_to(self, core: Core) -> None:
        """Add what the plugins declare to an open node."""
        jobs, nobody = core.part(JobRunner), Caller(core, background=True)
        for name, each in self.loaded.items():
            plugin = each.plugin
            each.scope = Scope(
                name, get_logger(f"plugins.{name}"), partial(self._calls.ask, plugin), self._calls.has,
                partial(_wake, jobs, plugin),
                frozenset(plugin.ephemeral), self._directory.of_plugin(name),
                {kind.name: kind.title for kind in plugin.works},
                frozenset(each.name for each in plugin.metrics if each.value is None),
            )  # fmt: skip
            self._calls.scopes[name] = each.scope
            each.context = each.context_of(nobody)
            if plugin.settings is not None:
                core.of_plugins[plugin.settings] = each.settings
            for limit in plugin.limits:
                core.rates[limit.name] = Rate(limit.what, getattr(each.settings, limit.setting))
            for collection in plugin.collections:
                core.collections.add(self._guarded(name).collection(collection))
            for task in plugin.tasks:
                if task.every is not None:
                    jobs.add(_job(name, task, each, partial(self.report, name), self.jobs_stop))

    def statuses(self) -> list[PluginStatus]:
        """Every installed plugin, in the order of names."""
        return [self._statuses[name] for name in sorted(self._statuses)]

    def probes(self) -> dict[str, Probe]:
        """Health checks, by plugin name."""
        return {
            name: partial(each.plugin.health, each.context)
            for name, each in self.loaded.items()
            if each.plugin.health is not None
        }

    def figures(self) -> list[Figure]:
        """The metrics that plugins add."""
        return [
            Figure(name, each.name, each.help, partial(each.value, loaded.context) if each.value else None)
            for name, loaded in self.loaded.items()
            for each in loaded.plugin.metrics
        ]

    async def ask_figure(self, figure: Figure) -> float | None:
        """The current value of a plugin's metric; None if computing it fails."""
        assert figure.value is not None
        report = partial(self.report, figure.plugin)
        ask = guard(figure.value, figure.plugin, f"metric {figure.name}", self.config.plugins.hook_seconds, report)
        try:
            return float(await ask())
        except (HookFailed, Refusal, TypeError, ValueError):
            return None

    def __iter__(self) -> Iterator[Loaded]:
        return iter(self.loaded.values())

    async def notify_all(self, hook: str) -> None:
        """Call `node_started` or `node_stopping` of every plugin."""
        await self._calls.notify_all(hook, {name: each.context for name, each in self.loaded.items()})

    # ---- failures

    def report(self, plugin: str, hook: str, what: str, error: BaseException | None = None) -> None:
        """Report a hook that failed or was slow; also called in database threads. The log gets the traceback of
        `error`.
        """
        status = self._statuses[plugin]
        status.failures += 1
        status.last_failure = f"{hook} {what}"
        if isinstance(error, Refusal) and error.code == "unavailable":  # the node's own state, such as a full disk
            logger.warning("the plugin %s: %s %s: %s", plugin, hook, what, error.message)
            return
        # Not as `exc_info`: that would put the error's message into the log of a program that embeds the node.
        trace = f"\n{describe(error)}" if error is not None else ""
        logger.error("the plugin %s: %s %s%s", plugin, hook, what, trace)

    def _report_held(self, plugin: str, hook: str, seconds: float) -> None:
        """Count that a function held the thread for too long. The log says so once in a while for each function."""
        status = self._statuses[plugin]
        status.held_thread += 1
        status.last_held = f"{hook} for {seconds:.3f} s"
        now = monotonic()
        if now - self._held_logged.get((plugin, hook), -inf) < _HELD_LOG_SECONDS:
            return
        self._held_logged[plugin, hook] = now
        logger.warning(
            "the plugin %s: %s held the node's thread for %.3f s, and nobody was served meanwhile; the most is "
            "plugins.thread_seconds, %g. Let it run such code in a thread, with trio.to_thread.run_sync",
            plugin, hook, seconds, self.config.plugins.thread_seconds,
        )  # fmt: skip


def _bound(loaded: Loaded, command: Command[Any, Any]) -> Command[Any, Any]:
    """The command, with functions that take the node's `Caller`."""
    asked_before = command.earlier

    @wraps(command.handler)
    def handler(caller: Caller, asked: Any) -> HandlerResult[Any]:
        return command.handler(loaded.context_of(caller), asked)

    async def earlier(caller: Caller, asked: Any) -> Any:
        assert asked_before is not None
        return await asked_before(loaded.context_of(caller), asked)

    return attrs.evolve(command, handler=handler, earlier=earlier if asked_before is not None else None)


def _wake(jobs: JobRunner, plugin: Plugin, task: str) -> None:
    if not any(each.name == task and each.every is not None for each in plugin.tasks):
        raise UnknownName(f"the plugin {plugin.name} has no periodic task {task}")
    jobs.wake(f"{plugin.name}.{task}")


def _job(name: str, task: Task, loaded: Loaded, report: ReportFailure, stop: Stop) -> Job:
    async def run(core: Core) -> str | None:
        start = partial(task.run, loaded.context)
        return await run_cancellable(start, stop.was_called, partial(report, f"task {task.name}"))

    def period(config: Config) -> float:
        try:
            seconds: object = task.every(loaded.settings) if callable(task.every) else task.every
            if not isinstance(seconds, int | float):
                raise WrongKind(f"it must return seconds, not {type(seconds).__name__}")
            return max(0.0, float(seconds))
        except FAILURES as error:  # the node asks before it begins, and goes on without the job
            report(f"task {task.name}", f"failed to compute `every`: {describe_error(error)}", error)
            return 0.0

    return Job(f"{name}.{task.name}", period, run, lane=name)


def _reason(error: BaseException) -> str:
    """The reason for operators, who may not have written the plugin."""
    if isinstance(error, StartError):
        return str(error)
    return f"{type(error).__name__}: {error}"
