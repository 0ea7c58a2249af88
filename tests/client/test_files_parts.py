"""Transfers without a network, and what the terminal makes of names of files and of unfinished uploads."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path

import pytest
from httpcore2 import Response
from hypothesis import given
from hypothesis import strategies as st

from chatnode.client import Unreachable
from chatnode.client.files.download import Served
from chatnode.client.files.http import HttpResponse, NodeHttp
from chatnode.client.files.retrying import Retries, TryAgain, failure_of
from chatnode.client.files.sources import WINDOW_BYTES, StreamSource
from chatnode.client.files.tus import TusUpload
from chatnode.client.wire import Address
from chatnode.errors import Refusal
from chatnode.terminal.paths import completions, free_names, safe_name, split_path
from chatnode.terminal.unfinished import UnfinishedUploads

# ---- tus: whatever fails, what arrives is what was sent

CONTENT = bytes(range(256))
FAULTS = ("", "", "lost before", "lost after", "503", "409", "423", "460", "half", "forgotten", "too large")


class Server:
    """Keeps one upload, as tus 1.0 says."""

    def __init__(self) -> None:
        self.held: bytes | None = None
        self.length: int | None = None
        self.ids = 0

    def take(self, step: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        if step == "create":
            self.ids += 1
            self.held, self.length = b"", int(headers["Upload-Length"]) if "Upload-Length" in headers else None
            return 201, {"location": f"https://elsewhere.example/x/{self.ids}?y=z"}
        if self.held is None:
            return 404, {}
        if step == "send":
            assert int(headers["Upload-Offset"]) == len(self.held)
            assert int(headers["Content-Length"]) == len(body)
            if "Upload-Length" in headers:
                self.length = int(headers["Upload-Length"])
            self.held += body
        length = {"upload-length": str(self.length)} if self.length is not None else {"upload-defer-length": "1"}
        return 200, {"upload-offset": str(len(self.held)), **length}


@given(st.lists(st.sampled_from(FAULTS), max_size=30), st.booleans())
def test_what_arrives_is_what_was_sent(faults: list[str], deferred: bool) -> None:
    server, tus = Server(), TusUpload("http://node")
    waiting = list(faults)
    for _ in range(200):
        if tus.done:
            break
        at_end = tus.offset + 100 >= len(CONTENT)
        known = len(CONTENT) if not deferred or (tus.step == "send" and at_end) else None
        _one_request(server, tus, waiting.pop(0) if waiting else "", known)
    assert tus.done
    assert server.held == CONTENT
    assert server.length == len(CONTENT)


def _one_request(server: Server, tus: TusUpload, fault: str, known: int | None) -> None:
    step, body = tus.step, b""
    if step == "create":
        headers = tus.create_headers(known, {"filename": "a"})
    elif step == "find":
        headers = tus.find_headers()
    else:
        body = CONTENT[tus.offset : tus.offset + 100]
        headers = tus.send_headers(len(body), known)
    if fault == "forgotten" and step == "find":
        server.held = None
    if fault == "lost before":
        tus.lost()
        return
    if fault == "half":
        if step == "send" and server.held is not None:
            server.held += body[: len(body) // 2]
        tus.lost()
        return
    try:
        if fault == "too large" and step == "send":
            tus.answered(413, {}, b"<html>413</html>", known)
        elif fault.isdecimal():
            tus.answered(int(fault), {}, b"", known)
        else:
            status, answer = server.take(step, headers, body)
            tus.lost() if fault == "lost after" else tus.answered(status, answer, b"", known)
    except TryAgain:
        pass
    except Refusal:
        tus.begin_again()


def test_a_proxy_with_a_smaller_limit_gets_smaller_requests() -> None:
    tus = TusUpload("http://node", "1")
    tus.answered(200, {"upload-offset": "0", "upload-length": "9"}, b"", 9)
    before = tus.most
    tus.answered(413, {}, b"<html>too large</html>", 9)
    assert (tus.step, tus.most) == ("find", before // 4)
    refusal = json.dumps({"error": {"code": "too_large", "message": "no more"}}).encode()
    tus.answered(200, {"upload-offset": "0", "upload-length": "9"}, b"", 9)
    with pytest.raises(Refusal, match="no more"):
        tus.answered(413, {}, refusal, 9)


@pytest.mark.parametrize("headers", [{}, {"location": ""}, {"location": "/a/b%2fc"}, {"location": "/" + "x" * 200}])
def test_an_answer_that_is_not_tus_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Refusal, match="does not speak tus"):
        TusUpload("http://node").answered(201, headers, b"", 1)


@pytest.mark.parametrize("number", ["", "x", "-1", "9" * 5_000])
def test_an_offset_that_is_none_is_refused(number: str) -> None:
    with pytest.raises(Refusal, match="Upload-Offset is"):
        TusUpload("http://node", "1").answered(200, {"upload-offset": number, "upload-length": "9"}, b"", 9)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Content-Length": "9" * 5_000}, {"Content-Range": f"bytes 0-{'9' * 5_000}/{'9' * 5_000}"}],
)
def test_a_file_without_a_credible_size_is_refused(headers: dict[str, str]) -> None:
    node = NodeHttp(Address("http://node", "node", 80, secure=False, base=""), "", None)
    with pytest.raises(Refusal, match="does not say how large"):
        Served.of(HttpResponse(node, Response(200, headers=headers)))


# ---- trying again


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_transfer_that_moves_is_never_given_up() -> None:
    clock, broken = Clock(), Unreachable("broken")
    retries = Retries(60, clock)
    for _ in range(100):
        retries.wait_after(broken)
        clock.now += 59
        retries.wait_after(broken)
        retries.advanced()
    retries.wait_after(broken)
    clock.now += 60
    with pytest.raises(Unreachable, match="broken"):
        retries.wait_after(broken)


def test_it_waits_as_long_as_the_node_asks() -> None:
    failure = failure_of("http://node", 503, {"retry-after": "7"}, b"")
    assert isinstance(failure, TryAgain)
    assert Retries(60, Clock()).wait_after(failure) >= 7


@pytest.mark.parametrize(
    ("status", "again"),
    [(400, False), (401, False), (403, False), (404, False), (410, False), (413, False), (415, False), (409, True),
     (423, True), (429, True), (460, True), (500, True), (502, True), (507, True)],
)  # fmt: skip
def test_what_is_tried_again(status: int, again: bool) -> None:
    assert isinstance(failure_of("http://node", status, {}, b"<html>"), TryAgain) == again


def test_a_refusal_keeps_the_words_of_the_node() -> None:
    body = json.dumps({"error": {"code": "gone", "message": "it was removed", "path": "file"}}).encode()
    failure = failure_of("http://node", 410, {}, body)
    assert isinstance(failure, Refusal)
    assert (failure.code, failure.message, failure.path) == ("gone", "it was removed", "file")
    for strange in (b"", b"[]", b'"x"', b'{"error": 7}', b"\xff"):
        assert isinstance(failure_of("http://node", 410, {}, strange), Refusal)


# ---- sources


async def test_memory_holds_a_window_of_a_stream() -> None:
    made = 0

    async def pieces() -> AsyncGenerator[bytes]:
        nonlocal made
        for _ in range(100):
            made += 2**20
            yield b"x" * 2**20

    async with aclosing(pieces()) as stream:
        source = StreamSource(stream)
        assert await source.reach(0, 2**30) == WINDOW_BYTES == made
        assert await source.read(WINDOW_BYTES - 1, 1) == b"x"
        source.forget(WINDOW_BYTES - 1)
        assert await source.reach(WINDOW_BYTES - 1, 2**30) == WINDOW_BYTES
        assert made == 2 * WINDOW_BYTES


# ---- names of files


@given(st.text())
def test_a_name_from_others_is_one_harmless_name(name: str) -> None:
    safe = safe_name(name)
    assert safe == Path(safe).name != ""
    assert len(safe.encode()) <= 240
    assert safe[0] not in ".-~"
    assert not {unicodedata.category(each) for each in safe} & {"Cc", "Cs", "Zl", "Zp"}
    assert safe_name(safe) == safe


def test_harmless_names_stay_and_others_are_changed() -> None:
    for name in ("plan.pdf", "Übersicht (2).tar.gz", "日本語.txt", "a-b.c~"):
        assert safe_name(name) == name
    for name, safe in (
        ("../../.bashrc", "_._.._.bashrc"), (".bashrc", "_bashrc"), ("-rf", "_rf"), ("", "file"), ("a/b", "a_b"),
        ("..", "__"), ("x" * 300 + ".pdf", "x" * 236 + ".pdf"), ("\x1b[2Ja", "␛[2Ja"), ("C:\\x", "C__x"),
    ):  # fmt: skip
        assert safe_name(name) == safe
    names = free_names("a.b.txt")
    assert [next(names) for _ in range(3)] == ["a.b.txt", "a.b (2).txt", "a.b (3).txt"]


def test_a_path_is_typed_as_in_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    for typed, path, text in (
        ("plan.pdf", "plan.pdf", ""),
        ('plan.pdf  it\'s here, "look"', "plan.pdf", 'it\'s here, "look"'),
        ('"my plan.pdf" here', "my plan.pdf", "here"),
        ("my\\ plan.pdf here", "my plan.pdf", "here"),
        ("~/plan.pdf", "/home/ann/plan.pdf", ""),
        ("#1.txt", "#1.txt", ""),
    ):
        assert split_path(typed) == (Path(path), text)
    for wrong in ("", "   ", '"open'):
        with pytest.raises(Refusal):
            split_path(wrong)


def test_paths_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("plan.pdf", "my plan.pdf", "it's", ".hidden", "evil\x1b[2J"):
        (tmp_path / name).touch()
    (tmp_path / "pl").mkdir()
    (tmp_path / "pl" / "a b").touch()

    def completed(typed: str) -> list[str]:
        return [typed[: len(typed) - replaced] + each for each, replaced in completions(typed)]

    assert completed("pl") == ["pl/", "plan.pdf"]
    assert completed("") == ["it\\'s", "my\\ plan.pdf", "pl/", "plan.pdf"]
    assert completed("my\\ p") == ["my\\ plan.pdf"]
    assert completed('"my p') == ['"my plan.pdf']
    assert completed(".h") == [".hidden"]
    assert completed("pl/") == ["pl/a\\ b"]
    assert completed(f"{tmp_path}/pla") == [f"{tmp_path}/plan.pdf"]
    assert completed("missing/x") == []
    for typed in ("pl", "my\\ p", "it", "pl/a"):
        for each in completed(typed):
            assert split_path(each)[0].exists()


# ---- unfinished uploads


@pytest.fixture
def kept(tmp_path: Path) -> Callable[[], UnfinishedUploads]:
    return partial(UnfinishedUploads, tmp_path / "state", "http://node", "a" * 32)


def test_an_unfinished_upload_is_found_by_the_next_run(tmp_path: Path, kept: Callable[[], UnfinishedUploads]) -> None:
    file = tmp_path / "film"
    file.write_bytes(b"film")
    with kept().of_file(file) as upload:
        assert upload.id is None
        upload.keep("123")
    with kept().of_file(tmp_path / ".." / tmp_path.name / "film") as upload:
        assert upload.id == "123"
    for other in (
        UnfinishedUploads(tmp_path / "state", "http://other", "a" * 32),
        UnfinishedUploads(tmp_path / "state", "http://node", "b" * 32),
    ):
        with other.of_file(file) as upload:
            assert upload.id is None
    with kept().of_file(file, original=True) as upload:
        assert upload.id is None
    os.utime(file, (1, 1))
    with kept().of_file(file) as upload:
        assert upload.id is None


def test_a_finished_upload_leaves_nothing(tmp_path: Path, kept: Callable[[], UnfinishedUploads]) -> None:
    file = tmp_path / "film"
    file.touch()
    with kept().of_file(file) as upload:
        upload.keep("123")
        upload.forget()
    assert list((tmp_path / "state" / "uploads").iterdir()) == []


def test_two_programs_do_not_continue_the_same_upload(tmp_path: Path, kept: Callable[[], UnfinishedUploads]) -> None:
    file = tmp_path / "film"
    file.touch()
    with kept().of_file(file) as first:
        first.keep("123")
        with kept().of_file(file) as second:
            assert second.id is None
            second.keep("456")
            second.forget()
    with kept().of_file(file) as later:
        assert later.id == "123"


def test_old_ones_are_dropped(tmp_path: Path, kept: Callable[[], UnfinishedUploads]) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    for file in files:
        file.touch()
    with kept().of_file(files[0]) as upload:
        upload.keep("123")
    (record,) = (tmp_path / "state" / "uploads").iterdir()
    os.utime(record, (1, 1))
    with kept().of_file(files[1]):
        assert not record.exists()
