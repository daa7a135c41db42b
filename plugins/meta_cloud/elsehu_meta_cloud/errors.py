"""Every error code of the Cloud API with what is done about it: table 7.2 of the Meta Cloud API reference.

The same table serves answers (failures.py) and failed statuses in webhooks. Decided is by the code alone: titles
and HTTP statuses of one code differ from day to day.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from elsehu.plugin import Mark

HOUR = 3600.0
FEW = 3
"""How often what may be our own mistake is tried."""
PAIR_ATTEMPTS = 8
"""After the seventh an hour was waited, and all in all an hour and a half."""


class Action(StrEnum):
    """What is done about an error, in the reference's letters."""

    RETRY = "R"
    PAIR = "RP"
    LATE = "RL"
    PAUSE = "PC"
    TEMPLATE_ONLY = "T"
    FAIL = "X"
    RECIPIENT = "XR"
    TEMPLATE = "XT"


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """What one code means for us.

    `code` is ours and stable; `detail` tells a person what to do. `wait` is in seconds (None: the usual backoff)
    and doubles with each attempt where `grows`. `holds` stops the whole number meanwhile. `token` marks what only
    a new access token mends.
    """

    action: Action
    code: str
    detail: str
    mark: Mark | None = None
    wait: float | None = None
    grows: bool = False
    holds: bool = False
    most_attempts: int | None = None
    token: bool = False


def _retry(code: str, detail: str, *, wait: float | None = None, most: int | None = None) -> ErrorRule:
    return ErrorRule(Action.RETRY, code, detail, wait=wait, most_attempts=most)


def _slow_down(code: str, detail: str, wait: float) -> ErrorRule:
    return ErrorRule(Action.RETRY, code, detail, wait=wait, grows=True, holds=True)


def _late(code: str, detail: str, hours: float, *, holds: bool = False) -> ErrorRule:
    return ErrorRule(Action.LATE, code, detail, wait=hours * HOUR, holds=holds)


def _pause(code: str, detail: str, *, token: bool = False) -> ErrorRule:
    return ErrorRule(Action.PAUSE, code, detail, token=token)


def _fail(code: str, detail: str) -> ErrorRule:
    return ErrorRule(Action.FAIL, code, detail)


def _recipient(code: str, detail: str, mark: Mark = Mark.RECIPIENT) -> ErrorRule:
    return ErrorRule(Action.RECIPIENT, code, detail, mark)


def _template(code: str, detail: str) -> ErrorRule:
    return ErrorRule(Action.TEMPLATE, code, detail, Mark.TEMPLATE)


AGAIN = "It is tried again by itself."
TOKEN = _pause(
    "token_refused",
    "Meta refuses the access token: it is wrong or has expired. Give a new one in credentials.accessToken; what waits "
    "is sent then.",
    token=True,
)
PERMISSION = _pause(
    "permission_missing",
    "Meta lets this access token do less than it must. Give the system user whatsapp_business_messaging and "
    "whatsapp_business_management, assign it the WhatsApp account, and make a new token.",
)
NOT_FOUND = _pause(
    "object_not_found",
    "Meta does not know this number or account, or the token may not see it. Check credentials.phoneNumberId and "
    "credentials.wabaId, and that the token's user has the account as an asset.",
)
SERVER = _retry("provider_error", f"Meta's server failed. {AGAIN}")
UNAVAILABLE = _retry("provider_unavailable", f"Meta is not available at the moment. {AGAIN}")
LIMITED = _slow_down("provider_rate_limited", f"Meta takes no more requests for now. {AGAIN}", 60)
BAD_REQUEST = _fail(
    "provider_rejected", "Meta refused this: something in it is not valid. Change it, or do it another way."
)
UNKNOWN = _fail(
    BAD_REQUEST.code, "Meta refused this for a reason that is not known here. Look its code up in Meta's list."
)
PARAMETERS = _fail(
    "template_parameters_wrong",
    "Meta refused the template's values: wrong number, too long, or with line breaks, tabs or many spaces. Compare "
    "them with the template, and synchronise the templates.",
)
PAYMENT = _pause(
    "payment_problem",
    "Meta sends nothing for this account because of its payment method. Mend that in the billing settings of the "
    "business portfolio.",
)
GROUP = _fail("group_unusable", "This group is not known to Meta or cannot be written to.")
MARKETING = _fail("marketing_not_allowed", "Marketing messages cannot be sent this way. Use another template.")
REGISTRATION = _pause(
    "number_not_registered",
    "This number is not registered for the Cloud API. Register it with its PIN in WhatsApp Manager.",
)
PIN = _fail("pin_refused", "Meta refuses the PIN of two-step verification. Set a new one in WhatsApp Manager.")
CALLING = _fail("calling_unsupported", "Calls are not supported.")
BLOCK_LIST = _fail("block_list_refused", "Meta refused a change of the block list.")
MAINTENANCE = _retry("number_in_maintenance", f"Meta works at this number for about a minute. {AGAIN}", wait=60)


def _all(codes: Iterable[int], rule: ErrorRule) -> dict[int, ErrorRule]:
    return dict.fromkeys(codes, rule)


ERRORS: Mapping[int, ErrorRule] = {
    **_all((0, 190), TOKEN),
    **_all((3, 10, *range(200, 300), 131005), PERMISSION),
    **_all((33,), NOT_FOUND),
    1: _retry("provider_error", f"Meta failed, or did not understand the message. {AGAIN}", most=FEW),
    2: UNAVAILABLE,
    **_all((4, 17, 32, 613, 80007, 80008), LIMITED),
    100: BAD_REQUEST,
    368: _pause(
        "account_restricted", "Meta has restricted this account for a breach of policy. Appeal in Business Support."
    ),
    130429: _slow_down("throughput_reached", f"This number sends as fast as Meta allows. {AGAIN}", 2),
    130472: _fail(
        "not_delivered_experiment", "Meta shows this customer no marketing for an experiment. Do not send it again."
    ),
    130497: _recipient("country_restricted", "This account may not write to customers in this country."),
    131000: _retry("provider_error", f"Something went wrong at Meta. {AGAIN}", most=FEW),
    **_all((131008, 131009), BAD_REQUEST),
    131016: UNAVAILABLE,
    **_all((131020, 131041), GROUP),
    131021: _fail("recipient_is_sender", "A number cannot write to itself. Choose another recipient."),
    131026: _recipient(
        "recipient_unreachable",
        "Meta cannot deliver to this customer: not on WhatsApp, an old app, terms not accepted, or this number is "
        "blocked. Try later, or another way.",
    ),
    131030: _fail(
        "recipient_not_allowed", "This is a test number: add the recipient to its list of allowed numbers at Meta."
    ),
    131031: _pause(
        "account_locked",
        "Meta has locked this account, or its data do not match. See the account's quality and support pages at Meta.",
    ),
    131037: _pause(
        "display_name_not_approved", "Meta has not approved this number's display name. Have it approved at Meta."
    ),
    **_all((131042, 131044), PAYMENT),
    131045: REGISTRATION,
    131047: ErrorRule(
        Action.TEMPLATE_ONLY,
        "window_closed",
        "More than 24 hours have passed since the customer wrote. Send a template.",
    ),
    131048: _late(
        "spam_limited",
        "Meta limits this number because many of its messages were blocked or reported. Stop campaigns and look at "
        "its quality at Meta. What waits is tried again in two hours.",
        2,
        holds=True,
    ),
    131049: _fail(
        "marketing_not_delivered",
        "Meta chose not to deliver this marketing message. Try again after 24 hours at the earliest, if at all.",
    ),
    131050: _recipient(
        "marketing_stopped", "This customer wants no marketing messages. Send them none.", Mark.NO_MARKETING
    ),
    131051: _fail("message_type_unsupported", "WhatsApp does not take messages of this type."),
    131052: _fail("media_not_downloadable", "The customer's file could not be fetched. Ask for it again."),
    # By `link` it would be worth two more tries; we send by `id`.
    131053: _fail(
        "media_refused",
        "Meta could not use the file: of a wrong type or damaged. Convert it, or send it as a document.",
    ),
    **_all((131055, 134100, 134102), MARKETING),
    134101: _retry("template_not_synced", f"Meta is still preparing this template. {AGAIN}", wait=600),
    131056: ErrorRule(
        Action.PAIR,
        "pair_rate_limited",
        f"Too many messages to this customer in a short time. {AGAIN}",
        most_attempts=PAIR_ATTEMPTS,
    ),
    **_all((131057, 2494100), MAINTENANCE),
    131062: _fail(
        "number_needed", "One-time passwords need the customer's phone number; only a user id is known. Ask for it."
    ),
    131063: _fail("marketing_switched_off", "Marketing templates are switched off for the Cloud API at Meta."),
    131064: _late(
        "messaging_limit_cut",
        "Meta has cut the messaging limit for breaches of template rules. Look at it at Meta. It is tried again in "
        "six hours.",
        6,
    ),
    **_all((132000, 132005, 132008, 132012, 132018), PARAMETERS),
    132001: _template(
        "template_missing",
        "Meta has no approved template of this name in this language. Synchronise the templates and choose another.",
    ),
    132007: _template(
        "template_against_policy", "This template's text breaks Meta's rules. Change it, or use another."
    ),
    132015: _template(
        "template_paused", "Meta has paused this template for its quality. Use another until it is approved again."
    ),
    132016: _template("template_disabled", "Meta has disabled this template for good. Make a new one."),
    132068: _fail("flow_blocked", "Meta has blocked this flow. Mend it at Meta."),
    132069: _late("flow_throttled", "Meta throttles this flow: ten messages an hour. It is tried again in an hour.", 1),
    133000: _fail("registration_incomplete", "The number is still being deregistered. Deregister it once more."),
    133004: UNAVAILABLE,
    **_all((133005, 133008), PIN),
    133006: _pause("number_not_verified", "This number must be verified by code first. Do that in WhatsApp Manager."),
    133009: _late("registration_too_fast", "The PIN was entered too often in a short time. Wait before the next.", 1),
    133010: REGISTRATION,
    133015: _retry("number_being_deleted", "This number was deleted a moment ago. Wait five minutes.", wait=300),
    133016: _fail(
        "registration_blocked",
        "This number was registered too often: Meta blocks it for 72 hours. Wait, then register.",
    ),
    135000: BAD_REQUEST,
    137000: _fail(
        "identity_changed", "The customer's identity at WhatsApp has changed. Verify who it is before sending again."
    ),
    **_all(range(138000, 138014), CALLING),
    **_all(range(139100, 139104), BLOCK_LIST),
}

MISSING_OBJECT = 33
"""Code of its own in old answers, subcode of 100 in new ones."""


def rule_of(code: int | None, *, subcode: int | None = None, status: int = 400) -> ErrorRule:
    """Return the rule of Meta's `code`; for one that is not in the table, by the HTTP `status`: 5xx is tried again.

    A failed status in a webhook has no HTTP status: what is unknown there has failed for good.
    """
    if code == 100 and subcode == MISSING_OBJECT:
        code = MISSING_OBJECT
    if code is not None and code in ERRORS:
        return ERRORS[code]
    return SERVER if status >= 500 else UNKNOWN
