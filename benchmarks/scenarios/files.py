"""Files: how fast they come and go, what uploads do to those who post meanwhile, and what ten files add to a post."""

import json
import os
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from math import inf
from statistics import median
from typing import Any

from attrs import define

from benchmarks.errors import BenchmarkError, require
from benchmarks.http_client import TIMEOUT_SECONDS, HttpClient, Person
from benchmarks.machine import cpu_seconds_of
from benchmarks.scenario import Figures, Metric, Scenario, Trial
from benchmarks.scenarios.flapping import pair_up, talk
from benchmarks.servers import Server

MIB = 1 << 20
BLOCK = os.urandom(MIB)
FILES_OF_A_POST = 10
POSTS = 100
MESSAGES_PER_SECOND = 100
PACE_SECONDS = 3
LOOK_AT_MEMORY = 32  # blocks from one look to the next: a look costs milliseconds
UNLIMITED = {
    f"CHATNODE_PLUGINS__ATTACHMENTS__{limit}": "0"
    for limit in ("FILE_MIB", "PERSON_MIB", "NODE_MIB", "DAY_MIB", "UPLOADS_PER_MINUTE")
}


def measure(trial: Trial) -> Figures:
    """One server: a file up and down with nothing else to do, then paced messages alone and beside uploads."""
    trial = trial.with_settings("files", UNLIMITED)
    data = trial.directory / "data"
    root = trial.stack.administrator(data)
    with trial.serving(data) as server:
        with server.client(root) as admin:
            senders = admin.add_people(trial.size.pairs, "sender")
            readers = admin.add_people(trial.size.pairs, "reader")
            uploader, *_ = admin.add_people(1, "uploader")
        figures = up_and_down(server, uploader, trial.size.file_mib)
        talking = pair_up(server, senders, readers)
        before = talk(trial, server, talking, MESSAGES_PER_SECOND)
        with uploading(server, uploader, trial.size.file_mib) as progress:
            beside = talk(trial, server, talking, MESSAGES_PER_SECOND)
        after = talk(trial, server, talking, MESSAGES_PER_SECOND)
        figures |= posts_with_files(server, senders[0])
    alone = (before.delivery_ms.p99 + after.delivery_ms.p99) / 2
    return figures | {
        "alone_p99": alone,
        "beside_p99": beside.delivery_ms.p99,
        "times_p99": beside.delivery_ms.p99 / alone,
        "beside_mib": progress.least,
    }


def up_and_down(server: Server, person: Person, mib: int) -> Figures:
    """One file, uploaded and downloaded, by itself. Memory is what the server holds more than after a small file."""
    upload(server, person, 1)
    held, most = server.memory().rss, Progress()
    cpu, start = cpu_seconds_of(server.pid), time.perf_counter()
    file = upload(server, person, mib, most)
    took, used = time.perf_counter() - start, cpu_seconds_of(server.pid) - cpu
    start = time.perf_counter()
    require(download(server, person, file["id"]) == mib * MIB, "the whole file came back")
    return {
        "upload": mib / took,
        "upload_cpu_us": used / mib * 1e6,
        "memory": (most.held - held) / 1024,
        "download": mib / (time.perf_counter() - start),
    }


def upload(server: Server, person: Person, mib: int, progress: "Progress | None" = None) -> dict[str, Any]:
    """Send a file that no other is like; returns what the node says of it."""

    def blocks() -> Iterator[bytes]:
        yield os.urandom(64)
        yield BLOCK[64:]
        for number in range(mib - 1):
            yield BLOCK
            if progress is not None:
                progress.mib += 1
                if number % LOOK_AT_MEMORY == 0:
                    progress.held = max(progress.held, server.memory().rss)

    connection = HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_SECONDS)
    headers = _headers(person) | {"Content-Length": str(mib * MIB), "Content-Type": "application/octet-stream"}
    connection.request("POST", "/plugins/attachments/files?name=film.bin", blocks(), headers)
    return _answer(connection, "file")


def download(server: Server, person: Person, file: str) -> int:
    """Read a file and forget it; returns how many bytes came."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_SECONDS)
    connection.request("GET", f"/plugins/attachments/files/{file}", headers=_headers(person))
    response = connection.getresponse()
    if response.status != 200:
        raise BenchmarkError(f"download: {response.status} {response.read(500)!r}")
    buffer, total = bytearray(MIB), 0
    while count := response.readinto(buffer):
        total += count
    return total


def _headers(person: Person) -> dict[str, str]:
    return {"Authorization": f"Bearer {person.token}"}


def _answer(connection: HTTPConnection, name: str) -> dict[str, Any]:
    response = connection.getresponse()
    body = response.read()
    if response.status != 201:
        raise BenchmarkError(f"upload: {response.status} {body.decode(errors='replace')}")
    return json.loads(body)[name]


@define
class Progress:
    """How far the uploads are, the memory that the server held at most, in KiB, and the least MiB/s of a few seconds:
    the pace beside messages, as there are none at the beginning and the end."""

    mib: int = 0
    held: int = 0
    least: float = inf


@contextmanager
def uploading(server: Server, person: Person, mib: int) -> Generator[Progress]:
    """One upload after another while the block runs."""
    progress, ended = Progress(), threading.Event()
    failed: list[BaseException] = []

    def go_on() -> None:
        try:
            while not ended.is_set():
                upload(server, person, mib, progress)
        except BaseException as error:
            failed.append(error)

    def watch() -> None:
        before = 0
        while not ended.wait(PACE_SECONDS):
            progress.least = min(progress.least, (progress.mib - before) / PACE_SECONDS)
            before = progress.mib

    threads = [threading.Thread(target=go_on), threading.Thread(target=watch)]
    for thread in threads:
        thread.start()
    try:
        yield progress
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    if failed:
        raise failed[0]


def posts_with_files(server: Server, person: Person) -> Figures:
    """What a post takes with ten files more than without."""
    with server.client(person.token) as client:
        conversation = client.call("conversations.create", title="files", members=[])["conversation"]
        plain = median(client.seconds("messages.post", **_post(conversation, n)) for n in range(POSTS))
        took: list[float] = []
        for number in range(POSTS, 2 * POSTS):
            files = [{"file": small_file(client, number, place)} for place in range(FILES_OF_A_POST)]
            took.append(client.seconds("messages.post", **_post(conversation, number), kind="file", files=files))
    return {
        "post_ms": plain * 1000,
        "post_files_ms": median(took) * 1000,
        "files_add_ms": (median(took) - plain) * 1000,
    }


def small_file(client: HttpClient, number: int, place: int) -> str:
    """The id of a new file of a few bytes."""
    body = f"file {place} of post {number}".encode()
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "text/plain"}
    client.connection.request("POST", "/plugins/attachments/files?name=note.txt", body, headers)
    return _answer(client.connection, "file")["id"]


def _post(conversation: str, number: int) -> dict[str, Any]:
    return {"conversation": conversation, "cid": f"files-{number}", "text": "look at this"}


FILES = Scenario(
    name="files",
    title="Files of {file_mib:,} MiB, and 100 messages/s of {pairs:,} pairs beside them",
    rounds=3,
    metrics=(
        Metric("upload", "upload, MiB/s", at_least=250),
        Metric("upload_cpu_us", "server CPU per MiB of an upload, µs"),
        Metric("memory", "memory during an upload, MiB more", 1, at_most=16),
        Metric("download", "download, MiB/s", at_least=600),
        Metric("alone_p99", "delivery p99 without uploads, ms", 2),
        Metric("beside_p99", "delivery p99 beside uploads, ms", 2),
        Metric("times_p99", "p99 beside uploads, ratio to none", 2, at_most=2),
        Metric("beside_mib", "the uploads beside messages, MiB/s"),
        Metric("post_ms", "a post without files, ms", 2),
        Metric("post_files_ms", "a post with ten files, ms", 2),
        Metric("files_add_ms", "ten files add, ms", 2, at_most=2),
    ),
    measure=measure,
    only_the_node=True,
)
