"""A customer's word that ends campaigns for him (PARAR, SAIR, STOP…), or has them begin again (VOLTAR…).

We are told of messages at least once, and after a crash perhaps not: so what came lately is also looked for. Each is
heard once (`campaign_heard_words`), in one transaction with what it changes; its answer is owed until it is queued.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from elsehu.plugin import (
    Caller,
    Conflict,
    DomainError,
    Invalid,
    Job,
    Kernel,
    NotFound,
    PluginContext,
    Role,
    Row,
    SendMessage,
    UnitOfWork,
    hookimpl,
    send_message,
    set_consents,
)
from elsehu_campaigns.config import NAME, CampaignSettings
from elsehu_campaigns.words import LONGEST, wish_of

LOOKED_BACK = timedelta(minutes=30)
ANSWERED_WITHIN = timedelta(hours=1)
"""Who gets an answer later does not know any more what it is about (history that was fetched, an outage)."""

SAID = """
SELECT m.id, m.contact_id, m.conversation_id, m.text, m.at FROM public_messages m
WHERE m.id = $1 AND m.direction = 'INBOUND' AND m.kind IN ('text', 'interactive')
"""
SAID_LATELY = """
SELECT m.id, m.contact_id, m.conversation_id, m.text, m.at
FROM public_messages m LEFT JOIN campaign_heard_words h ON h.message_id = m.id
WHERE m.id >= $1 AND m.direction = 'INBOUND' AND m.kind IN ('text', 'interactive') AND length(m.text) <= $2
  AND (h.message_id IS NULL OR h.owes_answer)
ORDER BY m.id
"""
HEAR = """
INSERT INTO campaign_heard_words (message_id, heard_at) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING message_id
"""
IS_OUT = "SELECT opted_out_at IS NOT NULL FROM public_contacts WHERE id = $1 FOR UPDATE"
OWE = "UPDATE campaign_heard_words SET owes_answer = $2 WHERE message_id = $1"
OWES = "SELECT owes_answer FROM campaign_heard_words WHERE message_id = $1"
FORGET = "DELETE FROM campaign_heard_words WHERE heard_at < $1"


@hookimpl
async def message_received(context: PluginContext, kernel: Kernel, data: Mapping[str, Any]) -> None:
    """Hear what a customer wrote, or tapped."""
    config: CampaignSettings = context.config
    if data["direction"] == "INBOUND" and _wish(config, data["text"]) is not None:
        row = await kernel.db.fetch_row(SAID, UUID(data["id"]))
        if row is not None:
            await hear(kernel, config, row)


async def hear(kernel: Kernel, config: CampaignSettings, said: Row) -> None:
    """Do what the words of a message (a row of SAID) ask for, and answer them, each once."""
    accepts = _wish(config, said["text"])
    if accepts is None:
        return
    async with kernel.db.transaction() as uow:
        if await uow.fetch_value(HEAR, said["id"], kernel.now()):
            await _record(uow, config, said, accepts=accepts)
    if not accepts and await kernel.db.fetch_value(OWES, said["id"]):
        await _answer(kernel, config, said)


async def _record(uow: UnitOfWork, config: CampaignSettings, said: Row, *, accepts: bool) -> None:
    """Record the wish. An answer is owed to who was not out yet."""
    was_out = await uow.fetch_value(IS_OUT, said["contact_id"])
    await set_consents(uow, [(said["contact_id"], accepts, said["at"])])
    is_out = await uow.fetch_value(IS_OUT, said["contact_id"])
    if is_out and not was_out and config.opt_out_answer:
        await uow.execute(OWE, said["id"], True)


async def _answer(kernel: Kernel, config: CampaignSettings, said: Row) -> None:
    """Confirm, by an ordinary message: its client id makes it one, however often we come here."""
    caller = Caller(Role.ADMIN, None, NAME)
    request = {"conversationId": str(said["conversation_id"]), "text": config.opt_out_answer}
    message = SendMessage.model_validate({**request, "clientId": f"opt-out:{said['id']}"}, strict=False)
    try:
        if said["at"] >= kernel.now() - ANSWERED_WITHIN:
            await send_message(kernel, caller, message, wait=0)
    except (Conflict, Invalid, NotFound) as why:  # a closed window or conversation, a number that is switched off
        kernel.plugins.context(NAME).log("opt_out_not_answered", code=why.code)
    await kernel.db.execute(OWE, said["id"], False)


def _wish(config: CampaignSettings, text: str | None) -> bool | None:
    return wish_of(text, config.opt_out_words, config.opt_in_words)


async def listen_again(kernel: Kernel, _: Mapping[str, Any]) -> None:
    """Hear what nobody told us of in the last half hour, and answer what is owed."""
    now = kernel.now()
    config: CampaignSettings = kernel.plugins.context(NAME).config
    for said in await kernel.db.fetch(SAID_LATELY, _first_id(now - LOOKED_BACK), 2 * LONGEST):
        try:
            await hear(kernel, config, said)
        except DomainError as why:
            kernel.plugins.context(NAME).log("opt_out_not_heard", code=why.code)
    await kernel.db.execute(FORGET, now - 4 * LOOKED_BACK)


def _first_id(at: datetime) -> UUID:
    """Return the smallest id of what was made from `at` on: ids begin with their milliseconds."""
    return UUID(int=int(at.timestamp() * 1000) << 80)


JOBS: Sequence[Job] = (Job("campaigns.listen_again", listen_again, cron="*/5 * * * *", queue="low"),)
