"""Settings: one class per section of `config.toml`, each key with its default and its help text.

`chatnode/config_file.py` reads them from `config.toml` and the environment, and writes the `config.toml` at the top of
the repository. In `[limits]`, 0 means no limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import attrs

from chatnode.addresses import (
    parse_url,
    read_base_path,
    read_bind,
    read_directory,
    read_domain,
    read_egress_rule,
    read_mail_address,
    read_mail_host,
    read_network,
    read_optional_bind,
    read_origin,
    read_proxy,
    read_public_url,
)
from chatnode.errors import StartError
from chatnode.settings import read_section, setting

T = TypeVar("T")


@attrs.frozen
class Server:
    """Where the node listens and how it stops."""

    bind: str = setting(
        "127.0.0.1:8008",
        "Address and port to listen on, for web pages, HTTP and sockets. PORT alone listens on this machine only, *:PORT on every address; port 0 picks a free port.",
        read=read_bind,
    )
    tls_certificate: str = setting(
        "", "PEM file with the certificate chain. If this and tls_key are set, the port accepts TLS only."
    )
    tls_key: str = setting(
        "", "PEM file with the private key. If this or the certificate changes on disk, the node reloads both."
    )
    http_bind: str = setting(
        "",
        "Second address and port, usually *:80, that redirects browsers to https:// and answers HTTP-01 challenges of [acme]. Empty: none.",
        read=read_optional_bind,
    )
    public_url: str = setting(
        "",
        "URL at which users reach the node, e.g. https://chat.example.org. Links begin with it, and its pages may use the session cookie. Empty: the bind address.",
        read=read_public_url,
    )
    base_path: str = setting(
        "",
        "Path below which users reach the node, e.g. /chat, if it shares its host with other programs; public_url may name it instead. Requests are served with and without it, so a proxy may pass it on or strip it.",
        read=read_base_path,
    )
    origins: tuple[str, ...] = setting(
        (),
        "Other origins whose pages may use the session cookie, e.g. https://app.example.org.",
        read=read_origin,
    )
    trusted_proxies: tuple[str, ...] = setting(
        (),
        "Addresses and networks of reverse proxies whose X-Forwarded-For, X-Forwarded-Proto and X-Ingress-Path headers are trusted, e.g. 10.0.0.0/8.",
        read=read_network,
    )
    shutdown_seconds: float = setting(
        5.0, "Seconds a stopping node waits for clients to receive what is queued for them.", minimum=0
    )
    metrics_addresses: tuple[str, ...] = setting(
        ("127.0.0.1", "::1"),
        "Addresses and networks that may read /metrics and the reasons in /health without an operator's token. Requests through a proxy always need one.",
        read=read_network,
    )
    dead_peer_seconds: float = setting(
        20.0,
        "Seconds without a TCP acknowledgement from the peer after which a connection is dropped (TCP_USER_TIMEOUT).",
        minimum=1,
        maximum=2_147_483,
    )

    def __attrs_post_init__(self) -> None:
        path = parse_url(self.public_url).path if self.public_url else ""
        if self.base_path and path not in ("", self.base_path):
            raise StartError(
                f"server.base_path is {self.base_path!r}, but server.public_url has the path {path!r}; "
                "set only one of them"
            )


LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
LETS_ENCRYPT_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"


@attrs.frozen
class Acme:
    """A TLS certificate that the node obtains and renews itself, from an authority that speaks ACME (RFC 8555)."""

    accept_terms: bool = setting(
        False, "Set to true to use this: it means that you accept the terms of service of the authority at `directory`."
    )
    domains: tuple[str, ...] = setting(
        (), "Names that the certificate is for. Empty: the host of server.public_url.", read=read_domain
    )
    contact: str = setting(
        "", "Email address at which the authority can reach you. Empty: none.", read=read_mail_address
    )
    directory: str = setting(
        LETS_ENCRYPT, "URL of the authority's ACME directory. Default: Let's Encrypt.", read=read_directory
    )
    staging: str = setting(
        LETS_ENCRYPT_STAGING,
        "URL of the directory that `chatnode acme issue --dry-run` uses: no browser trusts its certificates.",
        read=read_directory,
    )
    eab_kid: str = setting("", "Key id of an external account binding, if the authority gave you one.")
    eab_key: str = setting("", "Key of the external account binding, in base64url.", secret=True)
    profile: str = setting("", "Profile of the certificate, such as `shortlived`. Empty: the authority's default.")


@attrs.frozen
class Limits:
    """What one client may use. 0 means no limit."""

    connections: int = setting(10_000, "Maximum number of open connections.", minimum=0)
    connections_per_address: int = setting(200, "Maximum number of open connections from one address.", minimum=0)
    head_bytes: int = setting(16_384, "Maximum size of a request's head (request line and headers).", minimum=0)
    head_seconds: float = setting(10.0, "Seconds a client has to send a request's head.", minimum=0)
    keep_alive_seconds: float = setting(
        75.0,
        "Seconds an idle HTTP connection is kept open. Set it higher than the keep-alive of a proxy in front (often 60), or requests fail now and then.",
        minimum=0,
    )
    hello_seconds: float = setting(30.0, "Seconds a client socket has to sign in with hello.", minimum=0)
    hello_frames: int = setting(100, "Maximum number of frames a client socket may send before hello.", minimum=0)
    hello_bytes: int = setting(16_384, "Maximum size of one WebSocket message before hello.", minimum=0)
    body_bytes: int = setting(
        1_048_576, "Maximum size of an HTTP request's body, unless a plugin's route sets another.", minimum=0
    )
    frame_bytes: int = setting(262_144, "Maximum size of one WebSocket message, all fragments together.", minimum=0)
    frames_per_minute: int = setting(
        6_000,
        "Maximum number of control frames (such as pings) and fragments per minute on one client socket; a socket that sends more is closed.",
        minimum=0,
    )
    json_depth: int = setting(16, "Maximum nesting depth of objects and arrays in a request.", minimum=0)
    message_chars: int = setting(16_000, "Maximum length of a message's text in characters.", minimum=0)
    in_flight: int = setting(
        32, "Maximum number of concurrent requests per session; further requests wait in the socket.", minimum=0
    )
    outbox_bytes: int = setting(
        1_048_576,
        "Maximum number of bytes queued for a slow session; beyond that, it has to resume later.",
        minimum=0,
    )
    idle_seconds: float = setting(
        75.0,
        "Seconds of silence after which a client socket is pinged; after the same time again, it is closed.",
        minimum=0,
    )
    requests_per_minute: int = setting(6_000, "Maximum number of requests per user and minute.", minimum=0)
    posts_per_minute: int = setting(600, "Maximum number of messages a user may post per minute.", minimum=0)
    changes_per_minute: int = setting(
        120,
        "Maximum number of changes per user and minute that others see: profile, groups, joining, leaving, roles, "
        "pins, blocks.",
        minimum=0,
    )
    reports_per_minute: int = setting(10, "Maximum number of messages a user may report per minute.", minimum=0)
    logins_per_minute: int = setting(
        20,
        "Maximum number of sign-in attempts per minute from one address, and of password guesses for one account in any command.",
        minimum=0,
    )
    page_items: int = setting(500, "Maximum page size of a list (its `limit`).", minimum=1)
    filter_depth: int = setting(
        10, "Maximum nesting depth of _and, _or and _not in a filter; SQLite's limit is 50.", minimum=0
    )
    filter_terms: int = setting(
        100, "Maximum number of terms in a filter: comparisons, _and, _or and _not; SQLite's limit is 400.", minimum=0
    )
    filter_values: int = setting(
        500, "Maximum number of values a filter compares with; SQLite's limit is 10000.", minimum=0
    )
    filter_chars: int = setting(
        1_000, "Maximum length, in characters, of a text that a filter compares with.", minimum=0
    )
    query_seconds: float = setting(2.0, "Maximum seconds the database spends on one filtered list.", minimum=0)
    replay_events: int = setting(
        20_000,
        "Maximum number of missed events to replay; a client that missed more gets a snapshot instead.",
        minimum=0,
    )
    files_per_message: int = setting(10, "Maximum number of files in a message.", minimum=0)
    everyone_members: int = setting(
        50, "In groups with more members, only the owner and admins may mention @everyone.", minimum=0
    )
    edits: int = setting(100, "Maximum number of edits per message.", minimum=0)
    edit_minutes: int = setting(0, "Minutes after posting during which a message may be edited.", minimum=0)
    pins: int = setting(100, "Maximum number of pinned messages per conversation.", minimum=0)
    statuses_per_minute: int = setting(
        10, "Maximum number of changes to a user's status or visibility per minute.", minimum=0
    )
    typing_per_minute: int = setting(120, "Maximum number of typing notices per user and minute.", minimum=0)
    group_members: int = setting(10_000, "Maximum number of members of a group.", minimum=0)
    bot_posts_per_minute: int = setting(300, "Maximum number of messages a bot may post per minute.", minimum=0)
    invocations_per_minute: int = setting(
        60, "Maximum number of slash commands and buttons a user may use per minute.", minimum=0
    )
    bots_per_minute: int = setting(
        10, "Maximum number of times per minute that a user may create or end a bot.", minimum=0
    )
    attached_calls: int = setting(
        256,
        "Maximum number of concurrent calls of one process that is attached to the node; further calls wait in the socket.",
        minimum=0,
    )
    attached_connections: int = setting(
        1_000,
        "Maximum number of connections of attached processes: one for calls, and one for each reader of events and each consumer.",
        minimum=0,
    )
    attached_requests: int = setting(
        1_000, "Maximum number of requests and client sockets that attached processes pass on at a time.", minimum=0
    )


@attrs.frozen
class Accounts:
    """Passwords, sessions and links."""

    password_min_chars: int = setting(10, "Minimum password length in characters.", minimum=1)
    password_hashers: int = setting(
        2, "Number of passwords hashed concurrently (argon2id, 64 MiB each); others wait.", minimum=1
    )
    session_days: int = setting(90, "Days without use after which a device must sign in again.", minimum=1)
    invite_days: int = setting(7, "Days until an invite link expires.", minimum=1)
    reset_hours: int = setting(24, "Hours until a password reset link expires.", minimum=1)
    setup_hours: int = setting(24, "Hours until the set-up link for the first administrator expires.", minimum=1)


@attrs.frozen
class PresenceSettings:
    """Who is online, users' statuses, and typing indicators."""

    grace_seconds: float = setting(
        10.0, "Seconds a user still counts as online after their last connection closes.", minimum=0
    )
    interval_seconds: float = setting(2.0, "Minimum seconds between two presence updates about one user.", minimum=0)
    write_seconds: float = setting(
        30.0, "Seconds between writes of when users were last active; a crash loses what was not written.", minimum=1
    )
    most_audience: int = setting(
        250,
        "Maximum number of connected members for which presence and typing are pushed in a conversation; above it, clients ask with presence.get.",
        minimum=0,
    )
    state_people: int = setting(
        500, "Maximum number of users in the presence state that a new connection receives.", minimum=0
    )
    status_chars: int = setting(140, "Maximum length of a status in characters.", minimum=0)
    history_days: int = setting(
        0, "Days to keep presence history (online, offline, status changes); 0 keeps none.", minimum=0
    )
    typing_seconds: float = setting(5.0, "Seconds a typing indicator lasts unless renewed.", minimum=1)


@attrs.frozen
class Storage:
    """SQLite: one file, one writer thread, a few reader threads."""

    readers: int = setting(2, "Number of threads that answer reading commands.", minimum=1, maximum=64)
    group_jobs: int = setting(512, "Maximum number of writes that share a commit.", minimum=1)
    cache_kib: int = setting(16_384, "Page cache of the writer's connection, in KiB.", minimum=256, maximum=2**31 - 1)
    reader_cache_kib: int = setting(
        4_096, "Page cache of each reader's connection, in KiB.", minimum=256, maximum=2**31 - 1
    )
    least_free_mib: int = setting(200, "Minimum free disk space; below it, /health reports a problem.", minimum=0)
    vacuum_free_share: float = setting(
        0.25,
        "Share of unused space, if above 16 MiB, at which an idle node shrinks the database file; 0 disables it.",
        minimum=0,
        maximum=1,
    )
    vacuum_most_mib: int = setting(1024, "Do not shrink a database larger than this: writes wait meanwhile.", minimum=0)
    checkpoint_pages: int = setting(
        16_000,
        "Size of the write-ahead log, in pages of 4 KiB, at which a busy node checkpoints it into the database file; an idle node always does.",
        minimum=1,
        maximum=2**31 - 1,
    )


@attrs.frozen
class Backup:
    """Backups made by the node itself, or by `chatnode backup --rotate` from cron."""

    directory: str = setting("", "Directory for backups, of this node only. Empty: `backups` in the data directory.")
    every_hours: float = setting(0.0, "Hours between backups; 0 disables them.", minimum=0)
    passphrase_file: str = setting("", "File with the passphrase to encrypt backups with. Empty: not encrypted.")
    files: bool = setting(
        True,
        "Include the files of plugins. If false, copy `plugins` in the data directory yourself, after each backup.",
    )
    keep_daily: int = setting(7, "Daily backups to keep.", minimum=0)
    keep_weekly: int = setting(5, "Weekly backups to keep.", minimum=0)
    keep_monthly: int = setting(12, "Monthly backups to keep.", minimum=0)
    keep_before_migration: int = setting(
        3,
        "Pre-upgrade copies of the database to keep, unencrypted, in `backups` of the data directory; 0 makes none.",
        minimum=0,
    )


@attrs.frozen
class Bucket:
    """Copies of backups in an S3-compatible bucket. Needs `pip install 'chatnode[s3]'`."""

    name: str = setting("", "Name of the bucket. Empty: no copies.")
    endpoint: str = setting("", "URL of the service. Empty: that of AWS.")
    region: str = setting("", "Region, if the service has any.")
    prefix: str = setting("", "Prefix of object names in the bucket, such as `chatnode/`. No other node may use it.")
    access_key: str = setting("", "Access key. Empty: as boto3 finds it, in AWS_… or the machine's role.", secret=True)
    secret_key: str = setting("", "Secret key for the access key.", secret=True)
    which: str = setting(
        "all", "Which backups are copied: `all`, or the first one of each month.", choices=("all", "monthly")
    )
    delete: bool = setting(
        True, "Delete old backups from the bucket as `backup.keep_…` says. If false, nothing is deleted."
    )


@attrs.frozen
class Retention:
    """What the node removes automatically. 0 days means never."""

    message_days: int = setting(
        0,
        "Days after which messages are removed, in every conversation; a conversation can set fewer for itself.",
        minimum=0,
    )
    closed_days: int = setting(
        365,
        "Days after which a closed conversation disappears from all inboxes; it can still be reopened.",
        minimum=0,
    )
    purge_days: int = setting(0, "Days after which all messages of a closed conversation are removed.", minimum=0)


@attrs.frozen
class Search:
    """Full-text search in messages."""

    enabled: bool = setting(True, "Whether messages are indexed and can be searched.")
    batch_messages: int = setting(
        1_000,
        "Number of messages indexed at a time. A search scans the newest messages that are not indexed yet.",
        minimum=1,
    )
    most_behind_messages: int = setting(
        10_000,
        "Indexing yields to posts until this many messages are unindexed; searches scan those. 0: posts wait for indexing.",
        minimum=0,
    )
    most_behind_seconds: float = setting(30.0, "Maximum seconds for which indexing yields to posts.", minimum=0)
    shard_messages: int = setting(
        50_000, "Number of messages in one part of the index. Removing text rebuilds the whole part.", minimum=1
    )
    removal_seconds: float = setting(
        60.0, "Seconds until the text of a deleted or edited message is removed from the index.", minimum=0
    )
    deadline_seconds: float = setting(
        1.0,
        "Maximum seconds for a search; after that, it returns what it has found and where to continue.",
        minimum=0.01,
    )
    parts: int = setting(32, "Maximum number of words, phrases and operators in a query; 0 means no limit.", minimum=0)


@attrs.frozen
class Plugins:
    """Every installed plugin runs unless disabled. Each has its own section, [plugins.<name>]."""

    disabled: tuple[str, ...] = setting(
        (), "Names of plugins to disable. `chatnode plugin disable` does the same without editing this file."
    )
    hook_seconds: float = setting(
        2.0, "Maximum seconds a plugin may take for one request, or to enrich one page of messages.", minimum=0.001
    )
    transaction_seconds: float = setting(
        0.05, "Maximum seconds a plugin may take in one transaction; all other writes wait meanwhile.", minimum=0.001
    )
    start_seconds: float = setting(10.0, "Maximum seconds a plugin may take to start or to stop.", minimum=0.001)
    thread_seconds: float = setting(
        0.1,
        "Seconds a plugin may hold the thread that serves all clients without an await; if it holds it longer, that is "
        "counted and logged.",
        minimum=0.001,
    )
    consumer_tries: int = setting(
        5, "Number of attempts before an event on which a plugin's consumer fails is set aside.", minimum=1
    )


@attrs.frozen
class WorkSettings:
    """Background work of plugins, such as imports, which resumes after a restart."""

    at_once: int = setting(
        4,
        "Maximum number of concurrent work items; a plugin may set a lower limit for a kind.",
        minimum=1,
    )
    keep_days: int = setting(
        30,
        "Days to keep finished work items and their results.",
        minimum=1,
    )


@attrs.frozen
class BotSettings:
    """Bots that users own, slash commands, and buttons."""

    per_person: int = setting(5, "Maximum number of bots that a user may own.", minimum=0)
    commands: int = setting(50, "Maximum number of slash commands of a bot.", minimum=1)
    fresh_minutes: int = setting(
        15, "Minutes for which a slash command or button press waits for an offline bot.", minimum=1
    )
    reply_minutes: int = setting(30, "Minutes in which a bot may answer a slash command or button.", minimum=1)
    replies: int = setting(5, "Maximum number of answers to a slash command or button.", minimum=1)
    working_seconds: float = setting(
        3.0, "Seconds before a user is notified that a bot has not answered a slash command.", minimum=0.1
    )
    keep_hours: int = setting(24, "Hours to keep slash commands, pressed buttons and private answers.", minimum=1)


@attrs.frozen
class OutboundSettings:
    """Requests that the node sends to hosts that users or operators name: pushes, webhooks, link previews. Addresses of
    private networks, of this machine and of cloud metadata services are refused."""

    allow: tuple[str, ...] = setting(
        (),
        "Networks, addresses and exact names of hosts that may be reached although they are private, e.g. 10.1.0.0/16 or ntfy.lan:8080. They may also be reached without TLS. A cloud metadata service is reached only if its own address is listed.",
        read=read_egress_rule,
    )
    deny: tuple[str, ...] = setting(
        (),
        "Networks, addresses and exact names of hosts that may not be reached although they are public; takes precedence over allow.",
        read=read_egress_rule,
    )
    nat64: bool = setting(
        False,
        "Whether the node reaches IPv4 through NAT64: addresses in 64:ff9b::/96 are then judged by the IPv4 address in them. Otherwise they are refused.",
    )
    proxy: str = setting(
        "",
        "URL of an egress proxy for all these requests, e.g. http://user:password@proxy.example.org:3128. The proxy resolves names and alone decides which addresses may be reached; allow is ignored. HTTP_PROXY is ignored.",
        read=read_proxy,
        secret=True,
    )
    connections: int = setting(
        64, "Maximum number of open connections to other hosts; further requests wait.", minimum=1
    )
    per_address: int = setting(
        4, "Maximum number of requests of one kind that are sent to one address at a time; others wait.", minimum=1
    )


@attrs.frozen
class MailSettings:
    """Email through your SMTP server. Without a host, the node sends none."""

    host: str = setting("", "Host name of the SMTP server, e.g. mail.example.org.", read=read_mail_host)
    port: int = setting(587, "Port of the SMTP server.", minimum=1, maximum=65_535)
    security: str = setting(
        "starttls",
        "How connections are secured: starttls, tls (from the first byte, often port 465), or none. Email is never sent with less than this.",
        choices=("starttls", "tls", "none"),
    )
    user: str = setting(
        "", "User name at the SMTP server; needs password_file. Empty: email is sent without signing in."
    )
    password_file: str = setting(
        "",
        "File with the password for `user`; it is read at each connection. A relative path is resolved below $CREDENTIALS_DIRECTORY, if systemd has set that.",
    )
    sender: str = setting("", "Address that emails come from, e.g. chat@example.org.", read=read_mail_address)
    timeout_seconds: float = setting(
        30.0,
        "Seconds to wait for each reply of the SMTP server; for the one to the email itself, at least 600.",
        minimum=1,
    )


@attrs.frozen
class Logs:
    """Logging to standard error."""

    level: str = setting(
        "info", "Minimum level to log: debug, info, warning or error.", choices=("debug", "info", "warning", "error")
    )
    format: str = setting("text", "text for humans, json for programs.", choices=("text", "json"))
    slow_ms: int = setting(1_000, "Milliseconds after which a request is logged as slow; 0 disables this.", minimum=0)


@attrs.frozen
class Config:
    """All settings. Immutable; a node keeps the one it was opened with."""

    server: Server = attrs.field(factory=Server)
    acme: Acme = attrs.field(factory=Acme)
    limits: Limits = attrs.field(factory=Limits)
    accounts: Accounts = attrs.field(factory=Accounts)
    presence: PresenceSettings = attrs.field(factory=PresenceSettings)
    storage: Storage = attrs.field(factory=Storage)
    backup: Backup = attrs.field(factory=Backup)
    bucket: Bucket = attrs.field(factory=Bucket)
    retention: Retention = attrs.field(factory=Retention)
    search: Search = attrs.field(factory=Search)
    plugins: Plugins = attrs.field(factory=Plugins)
    work: WorkSettings = attrs.field(factory=WorkSettings)
    bots: BotSettings = attrs.field(factory=BotSettings)
    outbound: OutboundSettings = attrs.field(factory=OutboundSettings)
    mail: MailSettings = attrs.field(factory=MailSettings)
    logs: Logs = attrs.field(factory=Logs)
    of_plugins: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict[str, Mapping[str, Any]], repr=False)
    """The sections [plugins.<name>] as written; each plugin's own class checks its section (`settings_of`). Not in the
    repr, because some hold secrets."""
    places: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False, eq=False)
    """Where the section of each plugin was written, such as a file; for errors."""

    @property
    def speaks_tls(self) -> bool:
        """Whether the port speaks TLS, with a certificate that was given or is obtained."""
        return bool(self.server.tls_certificate) or self.acme.accept_terms


def settings_of(config: Config, plugin: str, kind: type[T]) -> T:
    """A plugin's settings, as an instance of its class `kind`; raises `StartError`, which names the key."""
    place = config.places.get(plugin, "settings")
    return read_section(kind(), config.of_plugins.get(plugin, {}), f"plugins.{plugin}", place)
