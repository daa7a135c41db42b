"""Checks of sending: each kind arrives, once and whole."""

from elsehu.contracts.message import Kind, Status
from elsehu.contracts.outbound import OutboundMessage, Quoted, Sent
from elsehu.contracts.template import ProviderTemplate, TemplateStatus
from elsehu.ids import new_token
from elsehu.testing.conformance.examples import address_of, examples, text_to
from elsehu.testing.conformance.house import House
from elsehu.testing.conformance.outcome import Check, Failed, require
from elsehu.testing.conformance.seeing import told, until
from elsehu.testing.conformance.trial import Trial

GOOD = {Status.SENT, Status.DELIVERED, Status.READ, Status.PLAYED}


async def each_kind_arrives(trial: Trial) -> None:
    """Send one message of each kind by the hook: each arrives once, with an id of its own."""
    house = await trial.house()
    written = house.written()
    await house.says(written)
    quoted = Quoted(written.external_id, from_company=False, text=written.text)
    to = address_of(written.phone)
    ids: set[str] = set()
    for name, example in examples(trial.spec, to, quoted, await _template(trial, house)):
        message = house.declared.outbound(example)
        if message is None:
            continue
        before = house.arrivals()
        sent = await sent_by(house, name, message)
        require(sent.external_id not in ids, f"{name}: the id {sent.external_id!r} was given before")
        ids.add(sent.external_id)
        await arrived_once(house, name, before)


async def _template(trial: Trial, house: House) -> ProviderTemplate | None:
    if not trial.can("templates"):
        return None
    pages = house.plugins.templates(await house.instance())
    found = [one async for page in pages for one in page]
    usable = [one for one in found if one.status is TemplateStatus.APPROVED and one.supported]
    plain = [one for one in usable if not one.buttons and (one.header is None or one.header.format == "text")]
    require(plain, "the stand-in has no approved, supported template without buttons and without a media header")
    return min(plain, key=lambda one: len(one.examples))


async def sent_by(house: House, name: str, message: OutboundMessage) -> Sent:
    """Send a message by the hook, and return the answer. Raises Failed unless it was taken."""
    try:
        sent = await house.plugins.send(await house.instance(), message)
    except Exception as error:
        raise Failed(f"sending {name} raised {told(error)}") from error
    require(isinstance(sent, Sent), f"{name}: provider_send returned {type(sent).__name__}, not Sent")
    require(isinstance(sent.external_id, str) and sent.external_id, f"{name}: Sent.external_id must be a text")
    require(sent.status in GOOD, f"{name}: Sent.status is {sent.status}; what was taken is at least `sent`")
    return sent


async def arrived_once(house: House, name: str, before: int) -> None:
    """Wait for one more arrival than `before`. Raises Failed if it does not come, or if more come."""

    async def look() -> bool:
        return house.arrivals() > before

    await until(look, f"{name}: the arrival of one message at the stand-in (`arrived`)", 5)
    require(house.arrivals() == before + 1, f"{name}: it arrived {house.arrivals() - before} times (`arrived`)")


async def operators_send(trial: Trial) -> None:
    """Send through the API, as an operator does."""
    house = await trial.house()
    conversation = await house.says(house.written())
    text = f"from an operator {new_token(4)}"
    sent = await house.send(conversation, text)
    message = await house.settles(sent["id"])
    require(message["status"] in GOOD, f"the message became {message['status']}: {message['error']}")
    require(house.arrivals_of(text) == 1, f"its text arrived {house.arrivals_of(text)} times (`arrived`)")


async def limits_hold(trial: Trial) -> None:
    """The longest text arrives whole, one character more is refused, and so is a kind that is not declared."""
    house = await trial.house()
    conversation = await house.says(house.written())
    longest = min(trial.spec.max_text, 65_536)
    before = house.arrivals()
    full = "long " + "x" * (longest - 5)
    await sent_by(house, "the longest text", text_to(address_of(house.declared.customers[0]), full))
    await arrived_once(house, "the longest text", before)
    require(house.arrivals_of(full) == 1, f"a text of {longest} characters (max_text) did not arrive whole")
    body = {"conversationId": str(conversation), "text": full + "x"}
    answer = await house.call("POST", "/api/messages/send", body)
    require(answer.status_code == 422, f"a text of max_text + 1 characters was answered {answer.status_code}, not 422")
    if Kind.LOCATION not in trial.spec.kinds:
        place = {"conversationId": str(conversation), "kind": "location", "location": {"latitude": 0, "longitude": 0}}
        answer = await house.call("POST", "/api/messages/send", place)
        require(answer.status_code == 422, f"a kind that is not in `kinds` was answered {answer.status_code}, not 422")


CHECKS = (
    Check(
        "each kind arrives once",
        "Correct provider_send for this kind, take the kind out of `kinds`, or adapt the example in `outbound`.",
        each_kind_arrives,
    ),
    Check("operators can send", "See what the API answered, and what provider_send raised.", operators_send),
    Check("limits hold", "Correct max_text (or what provider_send does with long texts) and `kinds`.", limits_hold),
)
