"""Checks of connecting, and of each ability that the plugin has."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from typing import Any

from elsehu.contracts.errors import ProviderError
from elsehu.contracts.http import Answer
from elsehu.contracts.inbound import MessageArrived
from elsehu.contracts.instance import InstanceReport, InstanceStatus, Pairing
from elsehu.contracts.message import Identity
from elsehu.contracts.outbound import Quoted
from elsehu.contracts.template import ProviderTemplate, TemplateCategory, TemplateStatus
from elsehu.phones import canonical
from elsehu.testing.conformance.declaration import declares
from elsehu.testing.conformance.examples import address_of
from elsehu.testing.conformance.house import House
from elsehu.testing.conformance.outcome import Check, Failed, require
from elsehu.testing.conformance.seeing import told, until
from elsehu.testing.conformance.trial import Trial, missing

GONE = {InstanceStatus.DISCONNECTED, InstanceStatus.NEEDS_PAIRING, InstanceStatus.NEW}
AWAY = {*GONE, InstanceStatus.CONNECTING, InstanceStatus.CONNECTED}


async def _asked(what: str, work: Awaitable[Any]) -> Any:
    try:
        return await work
    except Exception as error:
        raise Failed(f"{what} raised {told(error)}") from error


def _is_report(what: str, found: Any) -> InstanceReport:
    require(isinstance(found, InstanceReport), f"{what} returned {type(found).__name__}, not InstanceReport")
    assert isinstance(found, InstanceReport)
    return found


async def connects(trial: Trial) -> None:
    """Add a number through the API, connect it again, and ask for its status."""
    house = await trial.house()
    instance = await house.instance()
    again = _is_report("provider_connect", await _asked("connecting again", house.plugins.connect(instance)))
    require(again.status is InstanceStatus.CONNECTED, f"connected again, the number is {again.status}: {again.detail}")
    report = _is_report("provider_status", await _asked("provider_status", house.plugins.status(instance)))
    require(report.status is InstanceStatus.CONNECTED, f"provider_status says {report.status}: {report.detail}")


async def fetches_media(trial: Trial) -> None:
    """Let a customer send a file that the webhook only refers to, and get it from the API."""
    trial.needs("media")
    house = await trial.house()
    if not declares(house.declared, "file"):
        raise missing("file", "provider_media is implemented, so put a file on the stand-in")
    written = house.written("a file")
    body, data = await house.declared.file(house.standin, await house.instance(), written)
    answer = await house.post(await house.genuine(body))
    require(answer.status_code == 200, f"its webhook was answered {answer.status_code}: {answer.text[:200]}")
    message = await house.row_of(written.external_id)

    async def look() -> bytes | None:
        found = await house.api.get(f"/api/messages/{message['id']}/media")
        return found.content if found.status_code == 200 else None

    got = await until(look, "fetching the file by provider_media")
    require(got == data, f"the file has {len(got)} bytes, and not the {len(data)} of the stand-in, or others")


async def tells_history(trial: Trial) -> None:
    """Ask for a message of which no webhook told, and for the time before it."""
    trial.needs("history")
    house = await trial.house()
    if not declares(house.declared, "missed"):
        raise missing("missed", "provider_history is implemented, so have the stand-in remember a message")
    written = house.written("missed")
    await house.declared.missed(house.standin, await house.instance(), written)
    minute = timedelta(minutes=1)
    items = await _history(house, written.at - minute, written.at + minute)
    found = [one.event for one in items if isinstance(one.event, MessageArrived)]
    ours = [one for one in found if one.external_id == written.external_id]
    require(len(ours) == 1, f"the message {written.external_id!r} is {len(ours)} times in the history of its minute")
    require(ours[0].text == written.text and ours[0].is_history, "it must have its text, and `is_history`")
    early = await _history(house, written.at - 60 * minute, written.at - 30 * minute)
    ids = [one.event.external_id for one in early if isinstance(one.event, MessageArrived)]
    require(written.external_id not in ids, "it is in the history of an hour before: `since` and `until` must hold")


async def _history(house: House, since: Any, until_: Any) -> list[Any]:
    try:
        pages = house.plugins.history(await house.instance(), since, until_)
        return [item async for page in pages for item in page]
    except Exception as error:
        raise Failed(f"provider_history raised {told(error)}") from error


async def marks_read(trial: Trial) -> None:
    """Mark a customer's messages as read."""
    trial.needs("mark_read")
    house = await trial.house()
    first, second = house.written(), house.written()
    for written in (first, second):
        await house.says(written)
    quoted = [
        Quoted(one.external_id, from_company=False, text=one.text, chat_address=one.phone) for one in (first, second)
    ]
    await _asked("provider_mark_read", house.plugins.mark_read(await house.instance(), quoted))


async def shows_typing(trial: Trial) -> None:
    """Show each state, with and without a message of the customer."""
    trial.needs("typing")
    house = await trial.house()
    written = house.written()
    await house.says(written)
    instance, to = await house.instance(), [address_of(written.phone)]
    last = Quoted(written.external_id, from_company=False, text=written.text)
    shown = [(state, last) for state in ("composing", "recording", "paused")]
    await asyncio.gather(
        *(
            _asked(f"provider_typing ({state!r}, last={quoted})", house.plugins.typing(instance, to, state, quoted))
            for state, quoted in (*shown, ("composing", None))
        )
    )


async def keeps_templates(trial: Trial) -> None:
    """List templates; create, edit and delete one where the plugin can."""
    trial.needs("templates")
    house = await trial.house()
    for one in await _templates(house):
        require(isinstance(one, ProviderTemplate), f"provider_templates yields {type(one).__name__}")
        require(one.name and one.language, "a template has no name or no language")
        require(isinstance(one.status, TemplateStatus), f"{one.name}: the status {one.status!r} is no TemplateStatus")
    if not trial.can("save_template"):
        return
    instance = await house.instance()
    draft = ProviderTemplate(
        "conformance_example", "en_US", TemplateCategory.UTILITY, TemplateStatus.PENDING,
        "Hello {{1}}, your order is ready.", examples=("Maria",),
    )  # fmt: skip
    saved = await _asked("provider_save_template", house.plugins.save_template(instance, draft))
    require(isinstance(saved, ProviderTemplate), "provider_save_template must return a ProviderTemplate")
    require((saved.name, saved.language) == (draft.name, draft.language), "the saved template has another name")
    require(await _has(house, draft), "the saved template is not among provider_templates")
    if not trial.can("delete_template"):
        return
    for _ in range(2):
        await _asked("provider_delete_template", house.plugins.delete_template(instance, saved))
    require(not await _has(house, draft), "the deleted template is still among provider_templates")


async def _templates(house: House) -> list[ProviderTemplate]:
    try:
        return [one async for page in house.plugins.templates(await house.instance()) for one in page]
    except Exception as error:
        raise Failed(f"provider_templates raised {told(error)}") from error


async def _has(house: House, draft: ProviderTemplate) -> bool:
    return any((one.name, one.language) == (draft.name, draft.language) for one in await _templates(house))


async def checks_numbers(trial: Trial) -> None:
    """Ask of two customers and of a phone without an account; then let the vendor fail, which is no verdict."""
    trial.needs("check_numbers")
    house = await trial.house()
    customers, nobody = house.declared.customers, house.declared.nobody
    if not nobody:
        raise missing(
            "nobody", "provider_check_numbers is implemented, so name a phone that the stand-in does not know"
        )
    asked = [canonical(phone) for phone in (*customers, nobody)]
    found = await _asked("provider_check_numbers", house.plugins.check_numbers(await house.instance(), asked))
    for phone in asked[:-1]:
        told_of = isinstance(found.get(phone), Identity)
        require(told_of, f"of the customer {phone} it says {found.get(phone)!r}, not an Identity")
    require(asked[-1] in found and found[asked[-1]] is None, f"of {nobody} it says {found.get(asked[-1])!r}, not None")
    require(set(found) <= set(asked), f"it speaks of phones that nobody asked of: {sorted(set(found) - set(asked))}")
    require(not await house.plugins.check_numbers(await house.instance(), []), "asked of no phone, it speaks of some")
    for answer in (Answer(500, {}, b"<html>"), Answer(200, {"content-type": "text/html"}, b"<html>OK</html>")):
        await _is_no_verdict(house, answer, asked)


async def _is_no_verdict(house: House, answer: Answer, asked: Sequence[str]) -> None:
    with house.wire.disturbed(lambda _: answer) as disturbance:
        try:
            found = await house.plugins.check_numbers(await house.instance(), asked)
        except ProviderError:
            return
        except Exception as error:
            raise Failed(
                f"answered {answer.status} by the vendor, provider_check_numbers raised {told(error)}"
            ) from error
    wrong = [phone for phone, one in found.items() if one is None and disturbance.requests]
    require(
        not wrong, f"the vendor answered {answer.status} {answer.body!r}, and {wrong} were called without an account"
    )


async def disconnects(trial: Trial) -> None:
    """Log the number out twice, pair it again where it can be paired, and forget it twice."""
    house = await trial.house()
    for _ in range(2):
        await _disconnect(house, forget=False)
    instance = await house.instance()
    report = _is_report("provider_connect", await _asked("connecting after a logout", house.plugins.connect(instance)))
    require(report.status in AWAY, f"connected after a logout, the number is {report.status}: {report.detail}")
    if trial.can("qrcode"):
        _is_pairing(report, await _asked("provider_qrcode", house.plugins.qrcode(await house.instance())))
    for _ in range(2):
        await _disconnect(house, forget=True)


async def _disconnect(house: House, *, forget: bool) -> None:
    what = f"provider_disconnect(forget={forget})"
    report = _is_report(what, await _asked(what, house.plugins.disconnect(await house.instance(), forget)))
    require(report.status in GONE, f"after {what} the number is {report.status}")


def _is_pairing(report: InstanceReport, pairing: Any) -> None:
    require(isinstance(pairing, Pairing), f"provider_qrcode returned {type(pairing).__name__}, not Pairing")
    if report.status is not InstanceStatus.NEEDS_PAIRING or pairing.status is InstanceStatus.CONNECTED:
        return
    require(pairing.base64 or pairing.code, "a number that needs pairing was given neither a picture nor a code")
    is_picture = pairing.base64 is None or pairing.base64.startswith("data:image/")
    require(is_picture, "Pairing.base64 must be a data URI (data:image/png;base64,…)")


FIRST = (
    Check(
        "connects",
        "See what the stand-in was asked: provider_connect is idempotent and ends in CONNECTED (or declare `ready`).",
        connects,
    ),
)
CHECKS = (
    Check(
        "media is fetched", "Yield the file's bytes from provider_media, from `media.reference` alone.", fetches_media
    ),
    Check(
        "history tells what was missed",
        "Yield pages of Items between `since` and `until`, with is_history=True.",
        tells_history,
    ),
    Check("messages are marked as read", "provider_mark_read must do it, or raise a ProviderError.", marks_read),
    Check("typing is shown", "Map each state to what the provider has; ignore one that it has not.", shows_typing),
    Check(
        "numbers are looked up",
        "Answer with Identities, None for who has no account, nothing for who is not known (docs/plugins.md, Hooks).",
        checks_numbers,
    ),
    Check("templates are kept", "Correct the template hooks (docs/plugins.md, Templates).", keeps_templates),
)
LAST = (
    Check(
        "disconnects, and pairs again",
        "Both must be idempotent: a number that is not there any more is disconnected, and no error.",
        disconnects,
    ),
)
