"""Everything that a plugin may import, in one place. What is not here may change without notice."""

from elsehu.clock import from_epoch, isoformat, utc_now
from elsehu.contracts.errors import (
    ConfigError,
    Conflict,
    DomainError,
    ElsehuError,
    FieldError,
    Gone,
    InstanceSick,
    Invalid,
    Malformed,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    ProviderError,
    Rejected,
    Retryable,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
    WebhookRejected,
)
from elsehu.contracts.http import Answer, AnswerLost, HttpClient, NotSent, StreamedAnswer, Upload
from elsehu.contracts.inbound import (
    Broken,
    ConsentChanged,
    CustomerTyping,
    Event,
    IdentitiesLinked,
    IdentityChanged,
    InstanceChanged,
    Item,
    MediaContent,
    MessageArrived,
    MessageDeleted,
    MessageEdited,
    Normalized,
    ReactionChanged,
    StatusChanged,
    TemplateChanged,
)
from elsehu.contracts.instance import Instance, InstanceReport, InstanceStatus, Pairing
from elsehu.contracts.message import MEDIA_KINDS, Direction, Identity, IdentityKind, Kind, Mark, Status
from elsehu.contracts.outbound import OutboundMedia, OutboundMessage, Quoted, Sent
from elsehu.contracts.plugin import (
    HOOK_API,
    Cache,
    InteractiveLimits,
    MediaLimit,
    NoConfig,
    PairLimit,
    PluginContext,
    PluginInfo,
    PluginModel,
    ProviderSpec,
)
from elsehu.contracts.report import (
    Column,
    ColumnKind,
    Report,
    ReportExporter,
    Section,
    SectionItem,
    SectionKind,
)
from elsehu.contracts.rules import Candidate, Closing, Decision, Refusal, Snapshot, Waiting
from elsehu.contracts.storage import ByteRange, StoredObject, check_key
from elsehu.contracts.template import (
    ProviderTemplate,
    TemplateButton,
    TemplateCategory,
    TemplateHeader,
    TemplateStatus,
)
from elsehu.contracts.user import Caller, Queue, Role, Scope
from elsehu.contracts.webhook import Accepted, Challenge, WebhookRequest
from elsehu.db import DIALECT, Row, UnitOfWork
from elsehu.events import Change
from elsehu.events import Event as OutboxEvent
from elsehu.events import record as record_events
from elsehu.hookspecs import hookimpl
from elsehu.http.operations import ADMINS, EVERYBODY, SUPERVISORS, Call, Operation, invalid
from elsehu.http.pages import aware_time, decode_cursor, encode_cursor, page_of, serial
from elsehu.http.schemas import ApiModel, NoQuery, PageQuery
from elsehu.identity.audit import COMMAND_LINE, origin
from elsehu.identity.audit import record as record_audit
from elsehu.ids import new_id
from elsehu.instances.directory import Directory
from elsehu.jobs import Job, enqueue
from elsehu.kernel import Kernel, Runner
from elsehu.media.receiving import ReceivedFile, receive_file
from elsehu.messaging.contacts.bulk import ContactRow, upsert_contacts
from elsehu.messaging.contacts.consent import set_consents
from elsehu.messaging.contacts.data import ContactData, Person
from elsehu.messaging.conversations.filters import Filters
from elsehu.messaging.outbound.bulk import BulkMessage, queue_message, queue_messages, withdraw
from elsehu.messaging.outbound.contents import Location
from elsehu.messaging.outbound.drafts import Draft
from elsehu.messaging.outbound.lanes import open_lane, steer_lane
from elsehu.messaging.outbound.schemas import SendMessage
from elsehu.messaging.outbound.sending import send as send_message
from elsehu.messaging.templates.bulk import BulkDrafter, TemplateContent, bulk_drafter
from elsehu.migrating import run_sql
from elsehu.phones import canonical, digits_of, parse_phone, to_e164
from elsehu.realtime.registry import Audience, EventType, Rendered
from elsehu.sheets import Limits as SheetLimits
from elsehu.sheets import Meaning, Sheet, csv_lines, guess_columns, open_sheet
from elsehu.sheets import Row as SheetRow
from elsehu.sheets.formulas import neutralised
from elsehu.tolerant_json import parse_json

__all__ = [
    "ADMINS",
    "COMMAND_LINE",
    "DIALECT",
    "EVERYBODY",
    "HOOK_API",
    "MEDIA_KINDS",
    "SUPERVISORS",
    "Accepted",
    "Answer",
    "AnswerLost",
    "ApiModel",
    "Audience",
    "Broken",
    "BulkDrafter",
    "BulkMessage",
    "ByteRange",
    "Cache",
    "Call",
    "Caller",
    "Candidate",
    "Challenge",
    "Change",
    "Closing",
    "Column",
    "ColumnKind",
    "ConfigError",
    "Conflict",
    "ConsentChanged",
    "ContactData",
    "ContactRow",
    "CustomerTyping",
    "Decision",
    "Direction",
    "Directory",
    "DomainError",
    "Draft",
    "ElsehuError",
    "Event",
    "EventType",
    "FieldError",
    "Filters",
    "Gone",
    "HttpClient",
    "IdentitiesLinked",
    "Identity",
    "IdentityChanged",
    "IdentityKind",
    "Instance",
    "InstanceChanged",
    "InstanceReport",
    "InstanceSick",
    "InstanceStatus",
    "InteractiveLimits",
    "Invalid",
    "Item",
    "Job",
    "Kernel",
    "Kind",
    "Location",
    "Malformed",
    "Mark",
    "Meaning",
    "MediaContent",
    "MediaLimit",
    "MessageArrived",
    "MessageDeleted",
    "MessageEdited",
    "NoConfig",
    "NoQuery",
    "Normalized",
    "NotFound",
    "NotSent",
    "Operation",
    "OutboundMedia",
    "OutboundMessage",
    "OutboxEvent",
    "OutcomeUnknown",
    "PageQuery",
    "PairLimit",
    "Pairing",
    "PermissionDenied",
    "Person",
    "PluginContext",
    "PluginInfo",
    "PluginModel",
    "ProviderError",
    "ProviderSpec",
    "ProviderTemplate",
    "Queue",
    "Quoted",
    "ReactionChanged",
    "ReceivedFile",
    "Refusal",
    "Rejected",
    "Rendered",
    "Report",
    "ReportExporter",
    "Retryable",
    "Role",
    "Row",
    "Runner",
    "Scope",
    "Section",
    "SectionItem",
    "SectionKind",
    "SendMessage",
    "Sent",
    "Sheet",
    "SheetLimits",
    "SheetRow",
    "Snapshot",
    "Status",
    "StatusChanged",
    "StoredObject",
    "StreamedAnswer",
    "TemplateButton",
    "TemplateCategory",
    "TemplateChanged",
    "TemplateContent",
    "TemplateHeader",
    "TemplateStatus",
    "TooLarge",
    "TooMany",
    "Unauthenticated",
    "Unavailable",
    "UnitOfWork",
    "UnsupportedMedia",
    "Upload",
    "Waiting",
    "WebhookRejected",
    "WebhookRequest",
    "aware_time",
    "bulk_drafter",
    "canonical",
    "check_key",
    "csv_lines",
    "decode_cursor",
    "digits_of",
    "encode_cursor",
    "enqueue",
    "from_epoch",
    "guess_columns",
    "hookimpl",
    "invalid",
    "isoformat",
    "neutralised",
    "new_id",
    "open_lane",
    "open_sheet",
    "origin",
    "page_of",
    "parse_json",
    "parse_phone",
    "queue_message",
    "queue_messages",
    "receive_file",
    "record_audit",
    "record_events",
    "run_sql",
    "send_message",
    "serial",
    "set_consents",
    "steer_lane",
    "to_e164",
    "upsert_contacts",
    "utc_now",
    "withdraw",
]
