"""Settings: one class per section of `config.toml`, each key with its default and its help text.

`config.toml` at the top of the repository is written from these classes (`python -m chatnode.config`), and
a test compares the two. Every key can be overridden by `CHATNODE_<SECTION>__<KEY>` in the environment.
In `[limits]` a value of 0 means: no limit.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import attrs

from chatnode import environment as variables
from chatnode.addresses import read_bind, read_network, read_origin, read_public_url
from chatnode.errors import StartError
from chatnode.settings import read_section, setting, toml

T = TypeVar("T")


@attrs.frozen
class Server:
    """Where the node listens and how it stops."""

    bind: str = setting(
        "127.0.0.1:8008",
        "Address and port of everything: web page, HTTP and socket. A port alone is this machine only, *:PORT is every address; port 0 picks a free one.",
        read=read_bind,
    )
    tls_certificate: str = setting("", "PEM file with the certificate chain; with tls_key, the port speaks TLS only.")
    tls_key: str = setting("", "PEM file with the private key.")
    public_url: str = setting(
        "",
        "How people reach the node, e.g. https://chat.example.org; used in links, and its pages may use the cookie. Empty: the bind address.",
        read=read_public_url,
    )
    origins: tuple[str, ...] = setting(
        (),
        "Origins whose pages may use a signed-in browser's cookie, besides the node's own, e.g. https://app.example.org.",
        read=read_origin,
    )
    trusted_proxies: tuple[str, ...] = setting(
        (),
        "Addresses and networks of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed, e.g. 10.0.0.0/8.",
        read=read_network,
    )
    shutdown_seconds: float = setting(
        5.0, "How long a stopping node waits for connections to take what is queued for them.", minimum=0
    )
    metrics_addresses: tuple[str, ...] = setting(
        ("127.0.0.1", "::1"),
        "Addresses and networks that may read /metrics, and the reasons in /health, without a token of somebody who operates the node; not through a proxy.",
        read=read_network,
    )
    dead_peer_seconds: float = setting(
        20.0, "A connection whose peer acknowledges nothing for so long is dropped (TCP_USER_TIMEOUT).", minimum=1
    )


@attrs.frozen
class Limits:
    """What one client may cost everybody else. 0 means: no limit."""

    connections: int = setting(10_000, "Open connections in all.", minimum=0)
    connections_per_address: int = setting(200, "Open connections from one address.", minimum=0)
    head_bytes: int = setting(16_384, "Size of a request's head (request line and headers).", minimum=0)
    head_seconds: float = setting(10.0, "Time a client has to send a request's head.", minimum=0)
    keep_alive_seconds: float = setting(
        75.0,
        "Time an HTTP connection is kept between two requests. Longer than a proxy in front keeps its own, often 60, or requests fail now and then.",
        minimum=0,
    )
    hello_seconds: float = setting(30.0, "Time a client socket has to say who it is.", minimum=0)
    hello_frames: int = setting(100, "Frames a client socket may send until it has said who it is.", minimum=0)
    body_bytes: int = setting(1_048_576, "Size of an HTTP request's body.", minimum=0)
    frame_bytes: int = setting(262_144, "Size of one message on a client socket, fragments together.", minimum=0)
    frames_per_minute: int = setting(
        6_000, "Control frames (pings) and fragments on one client socket; it is closed for more.", minimum=0
    )
    json_depth: int = setting(16, "Nesting of objects and arrays in a request.", minimum=0)
    message_chars: int = setting(16_000, "Length of a message's text in characters.", minimum=0)
    in_flight: int = setting(
        32, "Requests of one session that are worked on at a time; further ones wait in the socket.", minimum=0
    )
    outbox_bytes: int = setting(
        1_048_576, "Bytes queued for a session that reads too slowly before it is told to resume later.", minimum=0
    )
    idle_seconds: float = setting(
        75.0,
        "A client socket that is silent for so long is pinged, and closed when it stays silent once more.",
        minimum=0,
    )
    requests_per_minute: int = setting(6_000, "Requests of one person.", minimum=0)
    posts_per_minute: int = setting(600, "Messages one person may post.", minimum=0)
    changes_per_minute: int = setting(
        120,
        "Changes one person may make that others are notified of: their profile, groups, joining, leaving and roles, "
        "pins, blocks.",
        minimum=0,
    )
    reports_per_minute: int = setting(10, "Messages one person may report.", minimum=0)
    logins_per_minute: int = setting(
        20,
        "Attempts to sign in from one address, and password guesses for one account in any command.",
        minimum=0,
    )
    page_items: int = setting(500, "The largest `limit` a list takes.", minimum=1)
    filter_depth: int = setting(10, "Nesting of _and, _or and _not in a filter; SQLite sets an end at 50.", minimum=0)
    filter_terms: int = setting(
        100, "Comparisons, and uses of _and, _or and _not, in one filter; SQLite sets an end at 400.", minimum=0
    )
    filter_values: int = setting(500, "Values that one filter compares with; SQLite sets an end at 10000.", minimum=0)
    filter_chars: int = setting(1_000, "Length of a text that a filter compares with, in characters.", minimum=0)
    query_seconds: float = setting(2.0, "Time the database may take for one filtered list.", minimum=0)
    replay_events: int = setting(
        20_000, "A client that missed more events than this gets a snapshot instead of the events.", minimum=0
    )
    everyone_members: int = setting(
        50, "In groups with more participants, only owner and admins mention @everyone.", minimum=0
    )
    edits: int = setting(100, "How often one message may be edited.", minimum=0)
    edit_minutes: int = setting(0, "How long after posting a message may be edited.", minimum=0)
    pins: int = setting(100, "Pinned messages of one conversation.", minimum=0)
    statuses_per_minute: int = setting(10, "Changes of one person's status, or of whether they are visible.", minimum=0)
    typing_per_minute: int = setting(120, "How often one person may say that they type.", minimum=0)
    group_members: int = setting(10_000, "Participants of one conversation.", minimum=0)


@attrs.frozen
class Accounts:
    """Who may sign in, and for how long."""

    password_min_chars: int = setting(10, "Shortest password taken.", minimum=1)
    password_hashers: int = setting(
        2, "Passwords hashed at a time (argon2id, 64 MiB each); further ones wait.", minimum=1
    )
    session_days: int = setting(90, "A device that was not used for so many days must sign in again.", minimum=1)
    invite_days: int = setting(7, "How long an invite link can be used.", minimum=1)
    reset_hours: int = setting(24, "How long a link to set a new password can be used.", minimum=1)
    setup_hours: int = setting(24, "How long the link for the first administrator can be used.", minimum=1)


@attrs.frozen
class Presence:
    """Who is online, their status, and who types."""

    grace_seconds: float = setting(
        10.0, "Somebody whose last connection went counts as online for so long, as they may be back.", minimum=0
    )
    interval_seconds: float = setting(2.0, "Others are told of one person at most so often.", minimum=0)
    write_seconds: float = setting(
        30.0, "When people were last active is written so often; a crash loses what came since.", minimum=1
    )
    most_audience: int = setting(
        250,
        "In a conversation heard by more people at a time than this, presence and typing are not pushed; presence.get still tells.",
        minimum=0,
    )
    state_people: int = setting(500, "People in the state that a connection begins with.", minimum=0)
    status_chars: int = setting(140, "Length of a status in characters.", minimum=0)
    history_days: int = setting(
        0, "For so many days it is kept who came, went and set which status when; 0 keeps nothing.", minimum=0
    )
    typing_seconds: float = setting(5.0, "Somebody who types does so for so long, unless they say it again.", minimum=1)


@attrs.frozen
class Storage:
    """SQLite: one file, one writer thread, a few reader threads."""

    readers: int = setting(2, "Threads that answer reading commands.", minimum=1)
    group_jobs: int = setting(512, "Most writes that share one commit.", minimum=1)
    cache_kib: int = setting(16_384, "Page cache of the writing connection.", minimum=256)
    reader_cache_kib: int = setting(4_096, "Page cache of each reading connection.", minimum=256)
    least_free_mib: int = setting(
        200, "With less free space on the disk, /health says that the node is not well.", minimum=0
    )
    vacuum_free_share: float = setting(
        0.25,
        "An idle node makes the database file smaller when so much of it is unused, and more than 16 MiB; 0 is never.",
        minimum=0,
    )
    vacuum_most_mib: int = setting(
        1024, "A larger database is left as it is: writes wait while its pages are moved.", minimum=0
    )
    checkpoint_pages: int = setting(
        16_000,
        "Pages of 4 KiB in the write-ahead log that make a busy node move them into the database file; an idle one does so anyway.",
        minimum=1,
    )


@attrs.frozen
class Backup:
    """Copies of the database that the node makes by itself, or `chatnode backup --rotate` from cron."""

    directory: str = setting("", "Where they are kept. Empty: `backups` in the data directory.")
    every_hours: float = setting(0.0, "How often the node makes one; 0 is never.", minimum=0)
    passphrase_file: str = setting("", "File with the passphrase that they are encrypted with. Empty: not encrypted.")
    keep_daily: int = setting(7, "The newest of each day, for so many days that have one.", minimum=0)
    keep_weekly: int = setting(5, "The newest of each week, for so many weeks.", minimum=0)
    keep_monthly: int = setting(12, "The newest of each month, for so many months.", minimum=0)
    keep_before_migration: int = setting(
        3,
        "Copies made before an upgrade changes the tables, in `backups` of the data directory, not encrypted; 0 makes none.",
        minimum=0,
    )


@attrs.frozen
class Retention:
    """What is removed by itself. 0 days: never."""

    message_days: int = setting(
        0, "Messages are removed after so many days, in every conversation; one may say fewer for itself.", minimum=0
    )
    closed_days: int = setting(
        365,
        "A conversation that was closed for so many days is left out of every inbox; it can be opened again.",
        minimum=0,
    )
    purge_days: int = setting(
        0, "All messages of a conversation that was closed for so many days are removed.", minimum=0
    )


@attrs.frozen
class Search:
    """The index of messages' words."""

    enabled: bool = setting(True, "Whether messages are indexed and can be searched.")
    batch_messages: int = setting(
        1_000, "Messages indexed at a time. A search looks through the newest ones that are not indexed yet.", minimum=1
    )
    shard_messages: int = setting(
        50_000, "Messages of one part of the index; it is the part that is made anew when text goes from it.", minimum=1
    )
    removal_seconds: float = setting(
        60.0, "Text of a deleted or edited message is out of the index's tables after so long.", minimum=0
    )
    deadline_seconds: float = setting(
        1.0, "A search that takes longer gives what it has found, and where to go on.", minimum=0.01
    )
    parts: int = setting(32, "Most words, phrases and operators of one query; 0 = no limit.", minimum=0)


@attrs.frozen
class Plugins:
    """Every installed plugin runs, unless it is disabled. Each has a section of its own, [plugins.<name>]."""

    disabled: tuple[str, ...] = setting(
        (), "Names of plugins that do not run. `chatnode plugin disable` is another way."
    )
    hook_seconds: float = setting(
        2.0, "How long a plugin may take for a request, or for what it adds to a page of messages.", minimum=0.001
    )
    transaction_seconds: float = setting(
        0.05, "How long a plugin may take in one transaction, while all other writes wait.", minimum=0.001
    )
    start_seconds: float = setting(10.0, "How long a plugin may take when the node starts or stops.", minimum=0.001)
    consumer_tries: int = setting(
        5, "How often a plugin's consumer is given an event that it fails on, before the event is set aside.", minimum=1
    )


@attrs.frozen
class Logs:
    """What the node says on standard error."""

    level: str = setting("info", "debug, info, warning or error.", choices=("debug", "info", "warning", "error"))
    format: str = setting("text", "text for people, json for programs.", choices=("text", "json"))
    slow_ms: int = setting(1_000, "A request that takes longer is logged as slow; 0 is never.", minimum=0)


@attrs.frozen
class Config:
    """All settings. Immutable; a node keeps the one it was opened with."""

    server: Server = attrs.field(factory=Server)
    limits: Limits = attrs.field(factory=Limits)
    accounts: Accounts = attrs.field(factory=Accounts)
    presence: Presence = attrs.field(factory=Presence)
    storage: Storage = attrs.field(factory=Storage)
    backup: Backup = attrs.field(factory=Backup)
    retention: Retention = attrs.field(factory=Retention)
    search: Search = attrs.field(factory=Search)
    plugins: Plugins = attrs.field(factory=Plugins)
    logs: Logs = attrs.field(factory=Logs)
    of_plugins: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict[str, Mapping[str, Any]], repr=False)
    """The sections [plugins.<name>] as they are written; a plugin's own class says what they may hold (`settings_of`).
    Not in the repr: some hold secrets."""


def load(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Config:
    """Read `path` (if given) and the environment over the defaults.

    Raises `StartError` that names the file or variable, the key and what it takes.
    """
    values: dict[str, dict[str, Any]] = {}
    if path is not None:
        values = _read_toml(path)
    config = _overlay(Config(), values, str(path))
    return _overlay(config, *_read_environment(os.environ if environment is None else environment))


def of_values(values: Mapping[str, Any]) -> Config:
    """Sections and keys as `config.toml` has them, over the defaults; the environment is not read.

    Raises `StartError` as `load` does.
    """
    return _overlay(Config(), values, "settings")


def sections() -> Iterator[tuple[str, type[Any]]]:
    """Name and class of each section, in the order of `config.toml`."""
    for field in attrs.fields(Config):
        if field.name != "of_plugins":
            yield field.name, type(getattr(Config(), field.name))


def settings_of(config: Config, plugin: str, kind: type[T]) -> T:
    """The settings of a plugin, as its class `kind` says them; raises `StartError` that names the key."""
    return read_section(kind(), config.of_plugins.get(plugin, {}), f"plugins.{plugin}", "settings")


def _read_toml(path: Path) -> dict[str, dict[str, Any]]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise StartError(f"{path}: no such file; leave --config out to use the defaults") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StartError(f"{path}: {error}") from None


def _read_environment(environment: Mapping[str, str]) -> tuple[dict[str, dict[str, Any]], str]:
    return variables.read(environment, {name: [*attrs.fields_dict(kind)] for name, kind in sections()}), "environment"


def _overlay(config: Config, values: Mapping[str, Any], place: str) -> Config:
    known = dict(sections())
    changes: dict[str, Any] = {}
    for section, entries in values.items():
        if section in known and not isinstance(entries, dict):
            raise StartError(f"{place}: {section} must be a section, as in [{section}]")
        if section not in known:
            raise StartError(f"{place}: {_no_section(section, entries, known)}")
        own = cast("Mapping[str, Any]", entries)
        if section == "plugins":
            nested = {name: cast("Mapping[str, Any]", each) for name, each in own.items() if isinstance(each, dict)}
            own = {key: value for key, value in own.items() if key not in nested}
            changes["of_plugins"] = _merged(config.of_plugins, nested)
        changes[section] = read_section(getattr(config, section), own, section, place, _sections_with)
    return attrs.evolve(config, **changes)


def _merged(before: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Tables with the keys of both; what is said later counts."""
    merged = dict(before)
    for key, value in later.items():
        earlier = merged.get(key)
        both = isinstance(value, dict) and isinstance(earlier, dict)
        merged[key] = _merged(cast("dict[str, Any]", earlier), cast("dict[str, Any]", value)) if both else value
    return merged


def _no_section(name: str, entries: Any, known: Mapping[str, type[Any]]) -> str:
    if isinstance(entries, dict):
        return f"no section [{name}]; there are {', '.join(known)}"
    homes = _sections_with(name)
    where = f"put it in {' or '.join(homes)}" if homes else f"the sections are {', '.join(known)}"
    return f"{name} stands in no section; {where}"


def _sections_with(key: str) -> list[str]:
    """The sections that have such a setting."""
    return [f"[{section}]" for section, kind in sections() if key in attrs.fields_dict(kind)]


def render() -> str:
    """The text of `config.toml`: every setting with its help and its default."""
    lines = [
        "# Every setting of chatnode, with its default. A data directory's own config.toml needs only what differs.",
        "# Each can be set in the environment too: CHATNODE_<SECTION>__<KEY>, e.g. CHATNODE_SERVER__BIND=0.0.0.0:8008",
    ]
    for name, section in sections():
        lines += ["", f"[{name}]", *(f"# {line}" for line in (section.__doc__ or "").splitlines() if line)]
        for field in attrs.fields(section):
            lines += ["", f"# {field.metadata['help']}", f"{field.name} = {toml(field.default)}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
