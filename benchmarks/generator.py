"""Builds and runs the load generator (generator/main.c says what it does and what its modes are)."""

import json
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Literal

import cattrs
from attrs import frozen

from benchmarks.errors import BenchmarkError
from benchmarks.machine import prefix_to_pin
from benchmarks.servers import Server

SOURCES = Path(__file__).parent / "generator"
BINARY = Path(__file__).parent / "build" / "generator"
COMPILE = ("cc", "-std=gnu11", "-O2", "-Wall", "-Wextra")


@frozen
class Session:
    """A socket of the load generator, which posts to a conversation or only listens."""

    role: Literal["post", "read"]
    token: str
    conversation: str = "-"


@frozen
class Latency:
    """In milliseconds, over ``count`` measured ones."""

    count: int
    p50: float
    p99: float
    max: float


@frozen
class PostReport:
    """What the mode ``post`` counted: first over the whole run, then in its measured seconds.

    A message is done when it is acked and has reached every reader; a delivery is one message at one
    reader, the sender's own copy not counted.
    """

    sent: int
    acked: int
    delivered: int
    unfinished: int
    repeated: int
    out_of_order: int
    overruns: int
    messages: int
    deliveries: int
    seconds: float
    server_cpu_seconds: float
    generator_cpu_seconds: float
    ack_ms: Latency
    delivery_ms: Latency


@frozen
class MixedReport:
    """What the mode ``mixed`` counted: first over the whole run, then in its measured seconds.

    ``messages`` counts rounds: a message, and all that people do because of it. ``ms`` has a latency for each kind of
    request, and for ``delivery``.
    """

    sent: int
    acked: int
    unfinished: int
    out_of_order: int
    messages: int
    seconds: float
    server_cpu_seconds: float
    generator_cpu_seconds: float
    ms: dict[str, Latency]


@frozen
class HistoryReport:
    """What the mode ``history`` counted in its measured seconds."""

    pages: int
    seconds: float
    server_cpu_seconds: float
    generator_cpu_seconds: float
    page_ms: Latency


@frozen
class HelloReport:
    """Where the log stands, and with a cursor: how many events came, and how long until ``live``."""

    epoch: str | int
    head: int
    mode: str
    events: int
    live_ms: float


@frozen
class FlapReport:
    """How often sessions opened and closed during `seconds`, counted after all had been open once."""

    came: int
    went: int
    seconds: float


@frozen
class Generator:
    """The compiled program and the core it runs on."""

    core: int

    def post(
        self,
        server: Server,
        sessions: Iterable[Session],
        *,
        window: int = 1,
        seconds: float = 0,
        warm_up: float = 0,
        messages: int = 0,
        rate: int = 0,
    ) -> PostReport:
        """Send for some seconds, or a number of messages in all; ``rate`` is messages a second in all."""
        options = {
            "window": window,
            "seconds": seconds,
            "warm-up": warm_up,
            "messages": messages,
            "rate": rate,
        }
        return cattrs.structure(self._run(server, "post", sessions, options), PostReport)

    def mixed(
        self, server: Server, sessions: Iterable[Session], *, seconds: float, warm_up: float, page: int = 50
    ) -> MixedReport:
        """Post and do all that people do beside; each sender is followed by the readers of its conversation."""
        options = {"seconds": seconds, "warm-up": warm_up, "page": page}
        return cattrs.structure(self._run(server, "mixed", sessions, options), MixedReport)

    def history(
        self,
        server: Server,
        sessions: Iterable[Session],
        *,
        messages: int,
        seconds: float,
        warm_up: float,
        page: int,
    ) -> HistoryReport:
        """Ask for pages at random places of a conversation of ``messages``."""
        options = {"messages": messages, "seconds": seconds, "warm-up": warm_up, "page": page}
        return cattrs.structure(self._run(server, "history", sessions, options), HistoryReport)

    def hello(self, server: Server, session: Session, cursor: dict[str, Any] | None = None) -> HelloReport:
        """Open one session, optionally with a cursor."""
        options = {"cursor": json.dumps(cursor)} if cursor else {}
        report = self._run(server, "hello", [session], options)
        return HelloReport(**report)

    @contextmanager
    def idle(self, server: Server, sessions: Iterable[Session]) -> Iterator[None]:
        """Silent sessions that stay open while the block runs."""
        with self._running(server, "idle", sessions, {}):
            yield

    @contextmanager
    def flapping(
        self, server: Server, sessions: Iterable[Session], here: float, away: float
    ) -> Iterator[list[FlapReport]]:
        """Sessions that open and close again and again while the block runs, each open for about ``here`` seconds and
        closed for ``away``. The list has its report after the block."""
        reports: list[FlapReport] = []
        with self._running(server, "flap", sessions, {"here": here, "away": away}) as output:
            yield reports
        reports.append(cattrs.structure(json.loads(output[0]), FlapReport))

    @contextmanager
    def _running(
        self, server: Server, mode: str, sessions: Iterable[Session], options: dict[str, Any]
    ) -> Iterator[list[str]]:
        """Run the generator until the block ends; the list then holds its output."""
        output: list[str] = []
        with _plan(sessions) as plan:
            process = subprocess.Popen(
                self._command(server, mode, plan, options),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            with process:
                assert process.stdout is not None
                ready = process.stdout.readline()
                if ready:
                    yield output
                said, errors = process.communicate()
                output.append(said)
            if process.returncode != 0:
                raise BenchmarkError(errors)

    def _command(self, server: Server, mode: str, plan: Path, options: dict[str, Any]) -> list[str]:
        command = [*prefix_to_pin(self.core), str(BINARY), mode]
        for name, value in {"port": server.port, "server": server.pid, "sessions": plan, **options}.items():
            command += [f"--{name}", str(value)]
        return command

    def _run(self, server: Server, mode: str, sessions: Iterable[Session], options: dict[str, Any]) -> dict[str, Any]:
        with _plan(sessions) as plan:
            done = subprocess.run(
                self._command(server, mode, plan, options), capture_output=True, text=True, check=False
            )
        if done.returncode != 0:
            raise BenchmarkError(done.stderr)
        return json.loads(done.stdout)


@contextmanager
def _plan(sessions: Iterable[Session]) -> Iterator[Path]:
    """The sessions as the generator reads them; in a file, as anyone may read a command line."""
    with NamedTemporaryFile("w", suffix=".sessions") as file:
        file.writelines(f"{session.role} {session.token} {session.conversation}\n" for session in sessions)
        file.flush()
        yield Path(file.name)


def build(core: int) -> Generator:
    """Compile the generator, unless it is newer than its sources."""
    sources = sorted(SOURCES.glob("*.[ch]"))
    built = BINARY.stat().st_mtime if BINARY.exists() else 0.0
    if any(source.stat().st_mtime > built for source in sources):
        BINARY.parent.mkdir(exist_ok=True)
        units = [str(source) for source in sources if source.suffix == ".c"]
        subprocess.run([*COMPILE, "-o", str(BINARY), *units], check=True)
    return Generator(core)
