"""What a node keeps of its certificates, when that cannot be read, is damaged, or is from another time."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import trio

from chatnode.certificates.store import AcmeAccount, CertificateStore, State
from chatnode.model.times import rfc3339
from tests.certificates.serving import failed, served, settings, status

YEAR = 365 * 86_400.0


@pytest.fixture
def store(tmp_path: Path) -> CertificateStore:
    return CertificateStore(tmp_path / "data/tls")


@pytest.mark.parametrize(
    "damaged",
    [
        {"failures": 1, "next_try": "abc"}, {"failures": 1, "next_try": None}, {"failures": "x"}, {"problem": 7},
        {"order": {"directory": "d", "url": "u", "domains": ["a.example"], "key": 5}}, {"order": 5}, [1],
    ],
)  # fmt: skip
def test_a_state_with_values_of_another_type_counts_as_none(
    store: CertificateStore, caplog: pytest.LogCaptureFixture, damaged: object
) -> None:
    store.save_state(State(failures=3))
    (store.directory / "state.json").write_text(json.dumps(damaged))
    assert store.state() == State()
    assert f"{store.directory / 'state.json'}: " in caplog.text


async def test_a_next_try_that_is_no_time_is_due_now(store: CertificateStore, tmp_path: Path) -> None:
    store.save_state(State(failures=1, next_try=1e300))
    async with served(tmp_path / "data", settings()) as (node, _):
        await status(node)
        assert (await failed(node))["failures"] >= 1


async def test_a_wait_of_the_version_before_still_counts(store: CertificateStore, tmp_path: Path) -> None:
    """It did not store when the last try failed."""
    later = int(time.time()) + 6 * 86_400
    store.save_state(State(failures=3, next_try=later))
    async with served(tmp_path / "data", settings()) as (node, _):
        found = await status(node)
        assert (found["failures"], found["next_try"]) == (3, rfc3339(int(later) * 1000))


def test_accounts_that_cannot_be_read_now_are_not_replaced(store: CertificateStore) -> None:
    store.save_account("https://one/", AcmeAccount("KEY 1", "https://one/1"))
    file = store.directory / "accounts.json"
    kept = file.rename(store.directory / "kept")
    file.mkdir()  # reading it raises `OSError`, as a file does that belongs to another user
    with pytest.raises(OSError, match=r"accounts\.json"):
        store.account("https://one/")
    with pytest.raises(OSError, match=r"accounts\.json"):
        store.save_account("https://two/", AcmeAccount("KEY 2"))
    file.rmdir()
    kept.rename(file)
    assert store.account("https://one/") == AcmeAccount("KEY 1", "https://one/1")


async def test_a_wait_from_before_the_clock_was_set_back_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = time.time
    with monkeypatch.context() as ahead:
        ahead.setattr(time, "time", lambda: right() + 5 * YEAR)
        async with served(tmp_path / "data", settings()) as (node, _):
            await failed(node)
    async with served(tmp_path / "data", settings()) as (node, _):
        with trio.fail_after(10):
            while (await status(node))["failures"] < 2:  # noqa: ASYNC110
                await trio.sleep(0.02)
