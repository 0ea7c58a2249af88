"""The composition root: opens the parts in order, closes them in reverse.

    database → routing → presence → control socket → listener

`open_node` gives a node that works without any connection: `call` runs commands on it. `Node.serve` adds the
connections.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Generator, Iterable, Sequence
from contextlib import asynccontextmanager, contextmanager
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import attrs
import trio

from chatnode import config_file
from chatnode.certificates.node_certificate import NodeCertificate
from chatnode.concurrency import raise_single, require_trio
from chatnode.config import Config
from chatnode.dispatch.accounts import KnownAccounts
from chatnode.dispatch.acting import AsOperator
from chatnode.dispatch.core import Core, public_url_of
from chatnode.dispatch.jobs import JobRunner
from chatnode.dispatch.signing import Signer
from chatnode.dispatch.subject import Subject
from chatnode.dispatch.table import CommandTable
from chatnode.errors import Refusal, StartError, WrongKind
from chatnode.hooks.consumers import Consumers
from chatnode.hooks.discovery import choose
from chatnode.hooks.files import tell_restored
from chatnode.hooks.log_growth import LogGrowth
from chatnode.hooks.manager import Manager
from chatnode.hooks.programs import Programs
from chatnode.hooks.site import PluginSite
from chatnode.hooks.slash_commands import SlashCommands
from chatnode.hooks.states import States
from chatnode.hooks.tasks import Tasks
from chatnode.hooks.works import Works
from chatnode.logs import get_logger
from chatnode.model.events import WorkChanged
from chatnode.model.people import Person
from chatnode.outbound.client import Outbound
from chatnode.outbound.mail import Mailer
from chatnode.protocol.envelopes import RequestFrame
from chatnode.routing.presence import PresenceBoard
from chatnode.routing.router import Router
from chatnode.routing.sessions import SessionRegistry
from chatnode.services import SUBJECTS, health
from chatnode.services.invocations import Invocations
from chatnode.services.vouching import Profile, Vouching, read_identity, read_profile
from chatnode.storage.engine.connection import DatabaseError
from chatnode.storage.engine.database import Database
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.engine.transaction import Committed, Recorded, first_gids
from chatnode.storage.engine.writer import CommitListener
from chatnode.storage.filters.collection import Collections
from chatnode.storage.log import log
from chatnode.storage.people import bots, roles
from chatnode.storage.presence import presence
from chatnode.storage.search.indexer import Indexer
from chatnode.storage.upkeep.upgrading import upgrade
from chatnode.transport.control import serve_control
from chatnode.transport.exchange import Application, HttpServer
from chatnode.transport.lines import LineReader
from chatnode.transport.listener import Listener
from chatnode.transport.mount import AskProfile, Doorman, Identify, MountedNode, TrioApp
from chatnode.transport.plain_port import PlainPort
from chatnode.transport.ports import Ports, base_url, open_ports
from chatnode.transport.sockets import ClientSockets
from chatnode.transport.tls import PortTls

if TYPE_CHECKING:
    from chatnode.embed.callers import EmbeddedCaller
    from chatnode.embed.consumer import ProgramConsumer

logger = get_logger("node")


@attrs.define(eq=False)
class Node:
    """A running node. Made by `open_node`."""

    directory: DataDirectory
    core: Core
    table: CommandTable
    sessions: SessionRegistry
    presence: PresenceBoard
    router: Router
    plugins: Manager
    consumers: Consumers
    tasks: Tasks
    works: Works
    jobs: JobRunner
    _health: health.Health
    _serving: bool = attrs.field(init=False, default=False)
    mounted: MountedNode | None = attrs.field(init=False, default=None)
    """What answers requests to programs that the node is mounted in, while it runs."""

    async def call(self, name: str, /, **fields: Any) -> Any:
        """Run a command as the operator of the node; gives its result as plain values.

        Raises `chatnode.errors.Refusal`.
        """
        return await AsOperator(self.core).call(name, **fields)

    # ---- for the program that the node is embedded in; imported when it is asked for, as servers do without

    @property
    def operator(self) -> EmbeddedCaller:
        """The operator of the node: may run every command, but is no user and a member of no conversation."""
        from chatnode.embed import callers

        return callers.operator(self.core)

    def person(self, who: str, limits: bool = True) -> EmbeddedCaller:
        """The user with this handle or id: permissions, rate limits, hooks and audit apply as for any client.

        Each call looks the account up, so a deactivation applies at once; it raises `Refusal("not_found")` if there is
        no such user. With `limits` false, no rate limits apply: for what the program does itself, in a user's name.
        """
        from chatnode.embed import callers

        return callers.person(self.core, who, limits=limits)

    def bot(self, handle: str, create: bool = True) -> EmbeddedCaller:
        """The bot with this handle, which the first call creates unless `create` is false.

        Calls raise `Refusal("conflict")` if the handle is that of a user.
        """
        from chatnode.embed import callers

        return callers.bot(self.core, handle, create=create)

    def consumer(self, name: str, kinds: Iterable[str] | None = None, from_start: bool = False) -> ProgramConsumer:
        """A durable reader of the log: `async for batch in node.consumer("orders", {"message.posted"})`.

        Its position is stored under its name, in the node's database. A new one begins with what comes next, or with
        `from_start` with the oldest event there is. Of each name, one can run at a time. `kinds` are names of events;
        None: all.
        """
        from chatnode.embed.consumer import ProgramConsumer

        return ProgramConsumer(self.core, name, kinds, from_start=from_start)

    async def serve(
        self, bind: str | None = None, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve the control socket and the port until cancelled; reports the URL once it accepts.

        `bind` is an address and a port, instead of the setting `server.bind`. Raises `StartError`, also when the node
        serves already: it has one address.
        """
        self._refuse_second()
        self.core.part(NodeCertificate).open()
        await self._run(open_ports(self.core.config, bind), task_status)

    async def run(self, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        """Do everything that `serve` does until cancelled, but open no port: the control socket, jobs, presence,
        consumers, tasks and work of plugins. Reports the setting `server.public_url`. Raises `StartError` as `serve`
        does.
        """
        self._refuse_second()
        await self._run(None, task_status)

    async def admit(self, identity: str, profile: Profile | None = None) -> Person:
        """The account of a user of the program that the node is mounted in, by what `identify` calls them: `app:42`.

        It is made if they have not come yet. Raises `Refusal("forbidden")` if it is deactivated, and `ValueError` for
        another form of identity or profile.
        """
        return await self.core.part(Vouching).admit(read_identity(identity), read_profile(profile))

    async def sign_out(self, identity: str) -> None:
        """A user has signed out of the program that the node is mounted in: close what they have open here, wherever
        they have signed in to it. `identity` is what `identify` calls them; for one who is not known, nothing happens.

        Raises `ValueError` for another form of identity.
        """
        await self.core.part(Vouching).sign_out(read_identity(identity))

    def asgi(self, identify: Identify | None = None, profile: AskProfile | None = None) -> TrioApp:
        """An ASGI application for a server in the same trio run, such as hypercorn's. The node must be running: with
        `run`, or with `serve` for a port of its own besides.

        `identify` and `profile` as in `chatnode.embed.aio.Node`.
        """
        return TrioApp(lambda: self.mounted, Doorman(identify, profile))

    def _refuse_second(self) -> None:
        if self._serving:
            where = f" at {self.core.base_url}" if self.core.base_url else ""
            raise StartError(f"this node already serves{where}")

    async def _run(self, ports: Ports | None, task_status: trio.TaskStatus[str]) -> None:
        self._serving = True
        config = self.core.config
        public_url = public_url_of(config.server)
        url = "" if ports is None else ports.url(config)
        try:
            serving, stopping = trio.Event(), trio.Event()
            async with trio.open_nursery() as nursery:
                # Before the other, which is shielded: `nursery.start` waits for its end if it is cancelled.
                nursery.start_soon(_set_when_cancelled, stopping)
                await nursery.start(self._serve_until, serving, stopping, ports)
                await trio.lowlevel.checkpoint_if_cancelled()  # it may be stopping already
                self.core.base_url = public_url or url
                # The certificate is for the name that users know.
                self.core.own_url = public_url or url if config.speaks_tls else url
                if ports is not None:
                    ports.warn(config)
                serving.set()
                task_status.started(url or public_url)
        finally:
            self._serving = False

    async def _serve_until(
        self,
        serving: trio.Event,
        stopping: trio.Event,
        ports: Ports | None,
        task_status: trio.TaskStatus[None],
    ) -> None:
        """Shielded from cancellation, so that stopping takes its order, and its time limit."""
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as background:
                path = self.directory.control_socket
                await background.start(serve_control, self.core, self.table, path, self._serve_attached)
                sockets = ClientSockets(self.core, self.table, self.sessions, background)
                background.start_soon(sockets.watch)
                background.start_soon(self.jobs.run_forever)
                background.start_soon(self.plugins.jobs_stop.wait)
                background.start_soon(self.presence.run)
                background.start_soon(self.core.part(Mailer).run)
                background.start_soon(self.core.part(Invocations).run)
                http = HttpServer(self._make_app)
                mounted = self.mounted = MountedNode(self.core, sockets, http)

                async def stop_sessions() -> None:
                    sockets.close()
                    for stream in self.sessions.all():
                        stream.end(resume=True, reason="the node is stopping")
                    await sockets.wait_drained()
                    await http.stop()

                certificate = self.core.part(NodeCertificate)
                tls = PortTls(certificate) if ports is not None and self.core.config.speaks_tls else None
                listener = Listener(self.core.config, tls, sockets.serve, http.serve, stop_sessions)
                async with trio.open_nursery() as plugins:
                    plugins.start_soon(self._run_plugins, serving)
                    if ports is not None:
                        plugins.start_soon(certificate.run)
                    if ports is not None and ports.plain:
                        plugins.start_soon(self._redirect, ports, stopping)
                    await listener.serve([] if ports is None else ports.main, stopping, task_status)
                    self.mounted = None
                    mounted.cut()
                    plugins.cancel_scope.cancel()
                await self.plugins.notify_all("node_stopping")
                background.cancel_scope.cancel()

    async def _redirect(self, ports: Ports, stopping: trio.Event) -> None:
        """Serve the plain port."""
        port = PlainPort(self.core.config, self.core.part(NodeCertificate).challenges, ports.port)
        await Listener(self.core.config, None, port.serve, port.serve, _no_sessions).serve(ports.plain, stopping)

    async def _serve_attached(
        self, stream: trio.SocketStream, reader: LineReader, request: RequestFrame, stopping: trio.Event
    ) -> None:
        from chatnode.embed.serving import AttachedProcesses

        await AttachedProcesses(self).serve(stream, reader, request, stopping)

    def _make_app(self) -> Application:
        # Imported with the first HTTP request (docs/adr/0030-what-is-imported-when.md): quart and its dependencies take
        # a fifth of the start and of the memory, and a node may serve client sockets for days without them.
        with _whole_imports():
            from chatnode.transport.http import make_app
            from chatnode.transport.rooted import Rooted
            from chatnode.transport.streams import PluginRoutes, RouteTable

        framework = make_app(self.core, self.table, self.sessions, self.health, self.plugins)
        return Rooted(self.core, PluginRoutes(self.core, RouteTable(self.plugins), framework))

    async def _run_plugins(self, serving: trio.Event) -> None:
        """Run the consumers, tasks and works of plugins, once the node serves and `node_started` was called."""
        await serving.wait()
        await self.plugins.notify_all("node_started")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.consumers.run)
            nursery.start_soon(self.tasks.run)
            nursery.start_soon(self.works.run)

    async def close(self) -> None:
        """Write what is only in memory. Not cancellable."""
        with trio.CancelScope(shield=True):
            try:
                await self.presence.write()
            except (Refusal, DatabaseError) as error:
                logger.warning("users' last activity could not be stored: %s", error)
            await self.core.part(Outbound).aclose()
            await self.core.part(Mailer).aclose()

    async def health(self) -> tuple[bool, dict[str, Any]]:
        """Whether the node is well, and each part's own word."""
        self.core.db.require_home()  # each part would tell of it as of its own fault
        parts = await self._health.report()
        return health.is_well(parts), parts


@asynccontextmanager
async def open_node(
    data: Path | str,
    config: Config | None = None,
    *,
    plugins: Iterable[Any] = (),
    only: Iterable[Any] | None = None,
    inline: bool = False,
) -> AsyncGenerator[Node]:
    """A node over a data directory, which is made if need be and belongs to this process until the end.

    Without `config`, the directory's own config.toml and the environment are read. `plugins` are modules or objects
    with hooks, besides the plugins that are installed and in place of an installed one of the same name; `only` are
    such instead of all that are installed. `inline` writes in the trio thread, for tests that mock the clock. Raises
    `StartError` when the node cannot start; a plugin that cannot does not stop it.
    """
    if not isinstance(cast("object", config), Config | None):
        raise WrongKind(f"config must be a chatnode.config.Config, not {type(config).__name__}")
    require_trio("chatnode.embed.aio")
    directory = DataDirectory(Path(data))
    directory.claim()
    try:
        if config is None:
            config = config_file.load(directory.given_config)
        upgraded = upgrade(directory, config)
        PluginSite(data).use()
        manager = Manager(config, SUBJECTS)
        writer = manager.load(choose(plugins, only), directory, copied=bool(upgraded))
        db = Database(directory.database, config.storage, inline=inline, additions=manager.additions)
        if config.search.enabled:
            db.background = Indexer(config.search)
        db.open(writer)
        try:
            node = await build(directory, config, db, manager, SUBJECTS)
            states = States(node.core, manager)
            try:
                async with trio.open_nursery() as nursery:
                    try:
                        await states.open(nursery)
                        yield node
                    finally:
                        await states.close()
                        await node.close()
            except BaseExceptionGroup as group:
                raise_single(group)
        finally:
            await db.aclose()
    finally:
        directory.release()


async def build(
    directory: DataDirectory, config: Config, db: Database, plugins: Manager, subjects: Sequence[Subject]
) -> Node:
    """Make the parts of a node over an open database, in order: each is given what it needs when it is made."""
    commands = [command for each in subjects for command in each.commands]
    collections = Collections(each for subject in subjects for each in subject.collections)
    core = Core(config, db, await db.read(log.epoch), await db.read(roles.by_name), base_url(config), collections)
    sessions = SessionRegistry(db)
    board = PresenceBoard(db, sessions, config.presence)
    router = Router(sessions, board, core.metrics)
    hooks = plugins.request_hooks()
    table = CommandTable([*commands, *plugins.commands()], hooks, board.mark_active)
    jobs = JobRunner(core, [job for each in subjects for job in each.jobs])
    core.add(sessions, board, plugins, hooks, table, jobs, Signer(directory.signing_keys))
    outbound = Outbound(config.outbound, core.metrics)
    core.add(outbound, Mailer(config.mail, core.metrics), NodeCertificate(config, directory, db, outbound))
    core.add(SlashCommands(plugins), Invocations(core), Vouching(core))
    plugins.add_to(core)
    consumers, tasks, works = Consumers(db, plugins), Tasks(plugins), Works(core, plugins)
    growth, accounts = LogGrowth(), KnownAccounts(db)
    core.add(consumers, tasks, works, growth, accounts, Programs())
    db.on_commit = _publisher(router, accounts, consumers, works, growth)
    await _load_presence(db, board)
    await consumers.load()
    await _follow_plugins(db, frozenset(plugins.loaded))
    await tell_restored(db, plugins)
    return Node(
        directory, core, table, sessions, board, router, plugins, consumers, tasks, works, jobs, health.Health(core)
    )


async def _set_when_cancelled(event: trio.Event) -> None:
    try:
        await trio.sleep_forever()
    finally:
        event.set()


@contextmanager
def _whole_imports() -> Generator[None]:
    """If an import fails, remove the Python modules that it has added, so that it can be tried again: asyncio, for one,
    cannot be imported after some of its parts. Modules in C stay: some crash when they are initialized twice."""
    before = set(sys.modules)
    try:
        yield
    except BaseException:
        for name, module in list(sys.modules.items()):
            if name not in before and isinstance(getattr(module, "__loader__", None), SourceFileLoader):
                del sys.modules[name]
        raise


def _publisher(
    router: Router, accounts: KnownAccounts, consumers: Consumers, works: Works, growth: LogGrowth
) -> CommitListener:
    """Tells of each group commit: sessions first, then plugins' consumers, works and tasks that wait for it."""

    def publish(recorded: list[Committed]) -> None:
        accounts.committed(recorded)
        router.publish(recorded)
        firsts, last = first_gids(recorded), recorded[-1]
        head = last.gid if isinstance(last, Recorded) else last.last
        consumers.committed(firsts, head)
        if WorkChanged.name in firsts:
            works.committed(recorded)
        growth.committed(firsts.keys(), head)

    return publish


async def _load_presence(db: Database, board: PresenceBoard) -> None:
    """Read the statuses. A damaged database is opened all the same, so that `node.check` can name the damage."""
    try:
        board.load(await db.read(presence.marked))
    except DatabaseError as error:
        logger.error("users' statuses cannot be read: %s", error)


async def _follow_plugins(db: Database, running: frozenset[str]) -> None:
    """Let the bots of plugins be active while their plugin runs. A disk that is full does not stop the node."""
    try:
        if await db.read(lambda reader: bots.out_of_step(reader, running)):
            await db.write(lambda tx: bots.follow(tx, running))
    except (Refusal, DatabaseError) as error:
        logger.error("the bots of plugins could not be updated: %s", error)


async def _no_sessions() -> None:
    """What a listener without client sockets has to stop."""
