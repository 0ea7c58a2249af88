"""An import of contacts: how fast each stage is, whether it slows down as contacts become more, and what it does to
those who post meanwhile."""

import json
import os
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from typing import Any

from attrs import define

from benchmarks.errors import BenchmarkError, require
from benchmarks.http_client import TIMEOUT_SECONDS, HttpClient
from benchmarks.machine import cpu_seconds_of
from benchmarks.scenario import Figures, Metric, Scenario, Trial
from benchmarks.scenarios.flapping import pair_up, talk
from benchmarks.servers import REPOSITORY, Server

MESSAGES_PER_SECOND = 100
LOOK_SECONDS = 0.1
TENTH = 10
HEADER = "Email,First Name,Last Name,Company,Phone,Country,City\n"
UNLIMITED = {f"CHATNODE_PLUGINS__CRM__{limit}": "0" for limit in ("IMPORT_ROWS", "IMPORT_MIB", "IMPORTS_PER_DAY")}


def settings() -> dict[str, str]:
    """The server's environment: no limits, and a plugin that completes contacts."""
    paths = [str(REPOSITORY / "benchmarks" / "completing"), os.environ.get("PYTHONPATH", "")]
    return UNLIMITED | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def measure(trial: Trial) -> Figures:
    """One server: rows into empty tables, stage by stage; then paced messages alone and beside another import."""
    trial = trial.with_settings("import", settings())
    data = trial.directory / "data"
    root = trial.stack.administrator(data)
    rows = trial.size.imported
    with trial.serving(data) as server:
        with server.client(root) as admin:
            senders = admin.add_people(trial.size.pairs, "sender")
            readers = admin.add_people(trial.size.pairs, "reader")
            admin.call("crm.lists.create", name="Customers")
            figures = import_alone(server, admin, rows)
        talking = pair_up(server, senders, readers)
        before = talk(trial, server, talking, MESSAGES_PER_SECOND)
        with importing(server, root, rows) as progress:
            staging = talk(trial, server, talking, MESSAGES_PER_SECOND)
            progress.begin()
            applying = talk(trial, server, talking, MESSAGES_PER_SECOND)
            progress.end()
        after = talk(trial, server, talking, MESSAGES_PER_SECOND)
    alone = (before.delivery_ms.p99 + after.delivery_ms.p99) / 2
    return figures | {
        "alone_p99": alone,
        "staging_p99": staging.delivery_ms.p99 / alone,
        "applying_p99": applying.delivery_ms.p99 / alone,
        "beside_rows": progress.rows / progress.seconds,
    }


def import_alone(server: Server, admin: HttpClient, rows: int) -> Figures:
    """Upload, stage, plan, apply; the first and the last tenth of the rows show whether it slows down."""
    held, start = server.memory().rss, time.perf_counter()
    id = upload(server, admin.token, contents(0, rows))
    uploaded = time.perf_counter()
    prepare(admin, id)
    cpu = cpu_seconds_of(server.pid)
    admin.call("crm.imports.plan", **{"import": id})
    staged = wait_for_state(admin, id, "staged", "planned")
    staged_cpu = cpu_seconds_of(server.pid)
    planned = wait_for_state(admin, id, "planned")
    planned_cpu = cpu_seconds_of(server.pid)
    admin.call("crm.imports.start", **{"import": id})
    times = [(0, time.perf_counter())]
    most = held
    while times[-1][0] < rows:
        time.sleep(LOOK_SECONDS)
        work = work_of(admin, id)
        require(work["status"] in ("waiting", "running", "done"), f"the import runs; it is {work}")
        times.append((rows if work["status"] == "done" else work["done"], time.perf_counter()))
        most = max(most, server.memory().rss)
    applied = times[-1][1]
    counts = admin.call("crm.imports.get", **{"import": id})["import"]["counts"]
    require(counts["created"] == rows, f"all rows became contacts; {counts}")
    return {
        "stage": rows / (staged - uploaded),
        "plan": rows / (planned - staged),
        "apply": rows / (applied - planned),
        "whole": rows / (applied - start),
        "stage_cpu_us": (staged_cpu - cpu) / rows * 1e6,
        "plan_cpu_us": (planned_cpu - staged_cpu) / rows * 1e6,
        "apply_cpu_us": (cpu_seconds_of(server.pid) - planned_cpu) / rows * 1e6,
        "kept": pace(times, rows - rows // TENTH, rows) / pace(times, 0, rows // TENTH),
        "memory": (most - held) / 1024,
    }


def pace(times: list[tuple[int, float]], first: int, last: int) -> float:
    """Rows per second between two numbers of rows, as nearly as was looked."""
    begin = max((each for each in times if each[0] <= first), key=lambda each: each[0])
    end = min((each for each in times if each[0] >= last), key=lambda each: each[0])
    return (end[0] - begin[0]) / max(end[1] - begin[1], LOOK_SECONDS)


def contents(first: int, rows: int) -> Iterator[bytes]:
    """A file, some thousand rows at a time. A third of the rows has no company, which a plugin fills in."""
    yield HEADER.encode()
    for start in range(first, first + rows, 5_000):
        lines = [
            f"user{n}@example{n % 997}.com,First{n % 1000},Last{n % 5000},{'' if n % 3 == 0 else f'Acme {n % 300}'},"
            f"+336{n % 100_000_000:08d},France,City{n % 400}\n"
            for n in range(start, min(start + 5_000, first + rows))
        ]
        yield "".join(lines).encode()


def upload(server: Server, token: str, parts: Iterator[bytes]) -> str:
    """The id of the import."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_SECONDS)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/csv"}
    connection.request("POST", "/plugins/crm/imports?name=contacts.csv", parts, headers, encode_chunked=True)
    response = connection.getresponse()
    body = response.read()
    if response.status != 201:
        raise BenchmarkError(f"upload: {response.status} {body.decode(errors='replace')}")
    return json.loads(body)["import"]["id"]


def prepare(admin: HttpClient, id: str) -> None:
    """A list, and two tags."""
    admin.call("crm.imports.map", **{"import": id}, list="Customers", tags=["imported", "shop"])


def wait_for_state(admin: HttpClient, id: str, *states: str) -> float:
    """When the import was first seen in one of the states."""
    while True:
        if admin.call("crm.imports.get", **{"import": id})["import"]["state"] in states:
            return time.perf_counter()
        work = work_of(admin, id)
        require(work["status"] != "failed", f"the work goes on; {work}")
        time.sleep(LOOK_SECONDS)


def work_of(admin: HttpClient, id: str) -> dict[str, Any]:
    found = admin.call("crm.imports.get", **{"import": id})["import"]
    return admin.call("work.get", work=found["work"])["work"]


@define
class ImportProgress:
    """How many rows were applied while others posted, and in how many seconds."""

    admin: HttpClient
    id: str
    rows: int = 0
    seconds: float = 1.0

    def begin(self) -> None:
        """Wait until the import is planned, and let it begin to apply its rows."""
        wait_for_state(self.admin, self.id, "planned")
        self.admin.call("crm.imports.start", **{"import": self.id})
        while work_of(self.admin, self.id)["done"] == 0:
            time.sleep(LOOK_SECONDS)
        self.rows, self.seconds = work_of(self.admin, self.id)["done"], time.perf_counter()

    def end(self) -> None:
        """`rows` and `seconds` since `begin`."""
        self.rows = work_of(self.admin, self.id)["done"] - self.rows
        self.seconds = time.perf_counter() - self.seconds


@contextmanager
def importing(server: Server, root: str, rows: int) -> Generator[ImportProgress]:
    """An import of other rows, which is staged and planned at first; it is cancelled at the end of the block."""
    with server.client(root) as admin:
        id = upload(server, root, contents(rows, rows))
        prepare(admin, id)
        admin.call("crm.imports.plan", **{"import": id})
        yield ImportProgress(admin, id)
        with suppress(BenchmarkError):  # it is done
            admin.call("crm.imports.cancel", **{"import": id})


CRM_IMPORT = Scenario(
    name="crm-import",
    title="An import of {imported:,} contacts: a list, two tags, events, a plugin; and 100 messages/s beside one",
    rounds=1,
    metrics=(
        Metric("stage", "staging, rows/s"),
        Metric("plan", "planning, rows/s"),
        Metric("apply", "applying, rows/s", at_least=10_000),
        Metric("whole", "all of it with the upload, rows/s", at_least=5_000),
        Metric("stage_cpu_us", "server CPU per staged row, µs", 1),
        Metric("plan_cpu_us", "server CPU per planned row, µs", 1),
        Metric("apply_cpu_us", "server CPU per applied row, µs", 1),
        Metric("kept", "pace of the last tenth, ratio to the first", 2, at_least=0.8),
        Metric("memory", "memory during the import, MiB more"),
        Metric("alone_p99", "delivery p99 without an import, ms", 2),
        Metric("staging_p99", "p99 beside staging, ratio to none", 2, at_most=2),
        Metric("applying_p99", "p99 beside applying, ratio to none", 2, at_most=2),
        Metric("beside_rows", "the import beside messages, rows/s"),
    ),
    measure=measure,
    only_the_node=True,
)
