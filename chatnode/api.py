"""Everything that a plugin may import. Nothing else of chatnode is promised to stay as it is.

Start with `docs/plugins/tutorial.md`; `docs/plugins/reference.md` describes every name here.
"""

from __future__ import annotations

from chatnode.bundle import python_variables
from chatnode.config import setting
from chatnode.counting import counted
from chatnode.dispatch.acting import AsOperator, AsPerson
from chatnode.dispatch.hooks import Allow, Deny, Verdict
from chatnode.dispatch.table import Command, command
from chatnode.errors import Refusal
from chatnode.hooks.context import Context
from chatnode.hooks.forms import parse_form
from chatnode.hooks.links import FileLinks
from chatnode.hooks.only_for import only_for
from chatnode.hooks.pages import PageContext
from chatnode.hooks.parts import Part, joined
from chatnode.hooks.plugin import (
    API_VERSION,
    Consumer,
    Limit,
    Metric,
    Page,
    Permission,
    Plugin,
    PluginRole,
    RemovalNote,
    Step,
    Task,
    steps_in,
)
from chatnode.hooks.routes import Disconnected, FilePart, Request, Response, Route
from chatnode.hooks.sending import content_disposition, file_response
from chatnode.hooks.slash import Slash, SlashCall, SlashReply
from chatnode.hooks.specs import hookimpl, hookspec
from chatnode.hooks.work import Work, WorkKind
from chatnode.model.actions import Action, Actions
from chatnode.model.bots import PrivateNotice
from chatnode.model.commands.messages import Posted
from chatnode.model.commands.shared import Nothing
from chatnode.model.conversations import Conversation
from chatnode.model.conversations import ConversationContext as ConversationContext
from chatnode.model.conversations import ConversationSettings as ConversationSettings
from chatnode.model.cursors import After, invalid_cursor, read_cursor, write_cursor
from chatnode.model.emoji import Emoji, as_emoji, in_all_tones
from chatnode.model.events import (
    ActionInvoked,
    ConversationImported,
    ConversationTrimmed,
    ConversationUpdated,
    Event,
    MemberChanged,
    MemberJoined,
    MemberLeft,
    MessageDeleted,
    MessageEdited,
    MessagePinned,
    MessagePosted,
    NoticeSent,
    PersonAdopted,
    PersonBlocked,
    PersonErased,
    PersonUpdated,
    ReceiptDelivered,
    ReceiptRead,
    RoleChanged,
    SessionRevoked,
    SettingsChanged,
    SlashInvoked,
    WorkChanged,
)
from chatnode.model.fields import Entries, Handle, Id, Items, Name, Real, Text, Time, TimeOrEmpty, Title, Who, Whole
from chatnode.model.folding import caseless, folded, is_blank
from chatnode.model.ids import direct_id, message_id, new_id
from chatnode.model.mentions import Mention
from chatnode.model.mentions import mentions as find_mentions
from chatnode.model.messages import FileRef, Location, Media, Message, Notice, ThumbnailSize
from chatnode.model.people import Account, Person, PersonRef
from chatnode.model.permissions import CHAT, MAKE_BOTS, MANAGE_PEOPLE, MODERATE, OPERATE
from chatnode.model.presence import Badge, Presence
from chatnode.model.presence import PresenceStatus as PresenceStatus
from chatnode.model.records import record
from chatnode.model.times import DAY_MS, HOUR_MS, milliseconds, now_ms, rfc3339, rfc3339_or_none, zone_of
from chatnode.model.work import WorkInfo
from chatnode.outbound.breakers import read_retry_after
from chatnode.outbound.client import Outbound
from chatnode.outbound.errors import Blocked, BodyTooLarge, Failed, OutboundError, Paused, TimedOut, Unwanted
from chatnode.outbound.mail import Mailer, MailResult
from chatnode.outbound.purpose import OutboundAnswer, Purpose
from chatnode.outbound.signatures import new_webhook_secret, webhook_headers
from chatnode.routing.ephemeral import ConnectedSession
from chatnode.storage.bots.owned import owner_of as bot_owner
from chatnode.storage.conversations.blocks import has_blocked, not_blocked, refuse_blocked
from chatnode.storage.conversations.conversations import (
    Place,
    access_to_manage,
    access_to_post,
    last_message_at,
    record_about_message,
    record_for_message,
)
from chatnode.storage.conversations.conversations import access as access_conversation
from chatnode.storage.conversations.conversations import set_avatar as set_group_avatar
from chatnode.storage.conversations.plugin_conversations import add_member, open_direct, open_group
from chatnode.storage.engine.additions import EventKind, Table
from chatnode.storage.engine.arrays import json_array
from chatnode.storage.engine.connection import IntegrityError, Querying, Reader
from chatnode.storage.engine.durable_files import sync_directory
from chatnode.storage.engine.row import Row
from chatnode.storage.engine.snapshot import Snapshot
from chatnode.storage.engine.stored_files import StoredFile
from chatnode.storage.engine.transaction import Change, Read, Transaction, Write
from chatnode.storage.filters import kinds
from chatnode.storage.filters.collection import Asker, Collection, DerivedKey, Field
from chatnode.storage.filters.query import FilterSql, ItemsPage, Plan, filter_sql, plan_query, run_query
from chatnode.storage.log.consumers import RowBatch
from chatnode.storage.log.plugin_log import event_names, log_rows, log_rows_for, without_recipient
from chatnode.storage.messages.changes import access_to_delete as access_to_delete_message
from chatnode.storage.messages.changes import change_files
from chatnode.storage.messages.messages import access as access_message
from chatnode.storage.messages.posting import Draft, post_message
from chatnode.storage.messages.recipients import Recipient, recipients, thread_followers
from chatnode.storage.messages.visible import TAKES_PART, VISIBLE_MESSAGES, may_see_message
from chatnode.storage.node.restored import RestoreNote
from chatnode.storage.people.owners import acting
from chatnode.storage.people.people import by_key as person_by_key
from chatnode.storage.people.people import check_can_act, check_reachable, holders_of
from chatnode.storage.people.people import find as find_person
from chatnode.storage.people.people import public as public_person
from chatnode.storage.people.people import set_avatar as set_person_avatar
from chatnode.storage.presence.presence import SEEN as MAY_SEE_PRESENCE
from chatnode.storage.presence.presence import PresenceRow
from chatnode.storage.presence.presence import seen as find_presence
from chatnode.storage.work.work import EndedWork, change_work_arguments

__all__ = [
    "API_VERSION",
    "CHAT",
    "DAY_MS",
    "HOUR_MS",
    "MAKE_BOTS",
    "MANAGE_PEOPLE",
    "MAY_SEE_PRESENCE",
    "MODERATE",
    "OPERATE",
    "TAKES_PART",
    "VISIBLE_MESSAGES",
    "Account",
    "Action",
    "ActionInvoked",
    "Actions",
    "After",
    "Allow",
    "AsOperator",
    "AsPerson",
    "Asker",
    "Badge",
    "Blocked",
    "BodyTooLarge",
    "Change",
    "Collection",
    "Command",
    "ConnectedSession",
    "Consumer",
    "Context",
    "Conversation",
    "ConversationContext",
    "ConversationImported",
    "ConversationSettings",
    "ConversationTrimmed",
    "ConversationUpdated",
    "Deny",
    "DerivedKey",
    "Disconnected",
    "Draft",
    "Emoji",
    "EndedWork",
    "Entries",
    "Event",
    "EventKind",
    "Failed",
    "Field",
    "FileLinks",
    "FilePart",
    "FileRef",
    "FilterSql",
    "Handle",
    "Id",
    "IntegrityError",
    "Items",
    "ItemsPage",
    "Limit",
    "Location",
    "MailResult",
    "Mailer",
    "Media",
    "MemberChanged",
    "MemberJoined",
    "MemberLeft",
    "Mention",
    "Message",
    "MessageDeleted",
    "MessageEdited",
    "MessagePinned",
    "MessagePosted",
    "Metric",
    "Name",
    "Nothing",
    "Notice",
    "NoticeSent",
    "Outbound",
    "OutboundAnswer",
    "OutboundError",
    "Page",
    "PageContext",
    "Part",
    "Paused",
    "Permission",
    "Person",
    "PersonAdopted",
    "PersonBlocked",
    "PersonErased",
    "PersonRef",
    "PersonUpdated",
    "Place",
    "Plan",
    "Plugin",
    "PluginRole",
    "Posted",
    "Presence",
    "PresenceRow",
    "PresenceStatus",
    "PrivateNotice",
    "Purpose",
    "Querying",
    "Read",
    "Reader",
    "Real",
    "ReceiptDelivered",
    "ReceiptRead",
    "Recipient",
    "Refusal",
    "RemovalNote",
    "Request",
    "Response",
    "RestoreNote",
    "RoleChanged",
    "Route",
    "Row",
    "RowBatch",
    "SessionRevoked",
    "SettingsChanged",
    "Slash",
    "SlashCall",
    "SlashInvoked",
    "SlashReply",
    "Snapshot",
    "Step",
    "StoredFile",
    "Table",
    "Task",
    "Text",
    "ThumbnailSize",
    "Time",
    "TimeOrEmpty",
    "TimedOut",
    "Title",
    "Transaction",
    "Unwanted",
    "Verdict",
    "Who",
    "Whole",
    "Work",
    "WorkChanged",
    "WorkInfo",
    "WorkKind",
    "Write",
    "access_conversation",
    "access_message",
    "access_to_delete_message",
    "access_to_manage",
    "access_to_post",
    "acting",
    "add_member",
    "as_emoji",
    "bot_owner",
    "caseless",
    "change_files",
    "change_work_arguments",
    "check_can_act",
    "check_reachable",
    "command",
    "content_disposition",
    "counted",
    "direct_id",
    "event_names",
    "file_response",
    "filter_sql",
    "find_mentions",
    "find_person",
    "find_presence",
    "folded",
    "has_blocked",
    "holders_of",
    "hookimpl",
    "hookspec",
    "in_all_tones",
    "invalid_cursor",
    "is_blank",
    "joined",
    "json_array",
    "kinds",
    "last_message_at",
    "log_rows",
    "log_rows_for",
    "may_see_message",
    "message_id",
    "milliseconds",
    "new_id",
    "new_webhook_secret",
    "not_blocked",
    "now_ms",
    "only_for",
    "open_direct",
    "open_group",
    "parse_form",
    "person_by_key",
    "plan_query",
    "post_message",
    "public_person",
    "python_variables",
    "read_cursor",
    "read_retry_after",
    "recipients",
    "record",
    "record_about_message",
    "record_for_message",
    "refuse_blocked",
    "rfc3339",
    "rfc3339_or_none",
    "run_query",
    "set_group_avatar",
    "set_person_avatar",
    "setting",
    "steps_in",
    "sync_directory",
    "thread_followers",
    "webhook_headers",
    "without_recipient",
    "write_cursor",
    "zone_of",
]
