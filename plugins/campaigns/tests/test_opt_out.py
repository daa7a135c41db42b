"""Whoever does not want campaigns gets none, whatever road the word comes by and whenever; the answer comes once."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from elsehu_campaigns import opt_out
from elsehu_campaigns.config import BACK, OUT, OUT_ANSWER, CampaignSettings
from elsehu_campaigns.opt_out import listen_again, message_received
from elsehu_campaigns.words import plain, wish_of
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from elsehu.plugin import Kind
from elsehu.testing.customers import customer_decides, customer_writes

from .world import World, done, people


class TestWords:
    @pytest.mark.parametrize(
        "said",
        ["PARAR", "parar", " Parar. ", "*PARAR*!!", "párar", "Sair\n", "stop 🙏", "nao quero  receber", "s\u200bair"],
    )
    def test_a_word_is_heard_however_it_is_written(self, said: str) -> None:
        assert wish_of(said, OUT, BACK) is False

    @pytest.mark.parametrize("said", ["voltar", "Voltar!", "QUERO RECEBER"])
    def test_so_is_the_way_back(self, said: str) -> None:
        assert wish_of(said, OUT, BACK) is True

    @pytest.mark.parametrize(
        "said", [None, "", "  ", "!!", "parar?sair", "quero parar", "não pare", "stops", "paráfrase", "PARAR " * 50]
    )
    def test_nothing_else_is(self, said: str | None) -> None:
        assert wish_of(said, OUT, BACK) is None

    @given(st.text(max_size=200))
    def test_any_text_can_be_compared(self, said: str) -> None:
        assert plain(plain(said)) == plain(said)
        assert wish_of(said, ["?"], ["!"]) is None

    def test_a_word_must_say_something(self) -> None:
        with pytest.raises(ValidationError):
            CampaignSettings(opt_out_words=("?!",))


async def is_out(world: World, phone: str) -> bool:
    shown = done(await world.admin.get(f"/api/contacts/{await world.contact(phone)}"))
    return bool(shown["optedOut"])


async def written(world: World, conversation: UUID) -> list[str]:
    """Return what was written to the customer, in order."""
    page = done(await world.admin.get(f"/api/messages/conversation/{conversation}"))
    return [one["text"] for one in reversed(page["items"]) if one["direction"] == "OUTBOUND"]


async def until_out(world: World, phone: str) -> None:
    await world.until(f"/api/contacts/{await world.contact(phone)}", lambda shown: shown["optedOut"])


class TestHearing:
    async def test_an_answer_to_a_campaign_opts_out_and_is_confirmed_once(self, world: World) -> None:
        [maria] = people(1)
        number = await world.number()
        campaign = await world.started(number, people=[maria])
        await world.over(campaign)
        conversation = await customer_writes(world.server, UUID(number), maria[1:], "Sair!")
        await world.until(f"/api/messages/conversation/{conversation}", lambda page: len(page["items"]) == 3)
        await customer_writes(world.server, UUID(number), maria[1:], "PARAR")
        await listen_again(world.kernel, {})
        assert await is_out(world, maria)
        assert (await written(world, conversation))[1:] == [OUT_ANSWER]
        again = await world.started(number, people=[maria])
        assert (await world.over(again))["stats"]["skipped"] == {"opted_out": 1}
        await customer_writes(world.server, UUID(number), maria[1:], "voltar")
        await world.until(f"/api/contacts/{await world.contact(maria)}", lambda shown: not shown["optedOut"])
        assert len(await written(world, conversation)) == 2, "the way back is not answered"

    async def test_a_tapped_button_counts(self, world: World) -> None:
        [maria] = people(1)
        number = UUID(await world.number())
        tapped = {"kind": Kind.INTERACTIVE, "payload": {"type": "button_reply", "id": "no", "title": "Parar"}}
        await customer_writes(world.server, number, maria[1:], "Parar", **tapped)
        await until_out(world, maria)

    async def test_what_we_are_told_twice_is_answered_once(self, world: World) -> None:
        [maria] = people(1)
        number = UUID(await world.number())
        conversation = await customer_writes(world.server, number, maria[1:], "STOP")
        context = world.kernel.plugins.context("campaigns")
        message = await world.kernel.db.fetch_value("SELECT id FROM messages WHERE conversation_id = $1", conversation)
        for _ in range(3):
            await message_received(context, world.kernel, {"id": str(message), "direction": "INBOUND", "text": "STOP"})
        await world.kernel.db.execute(
            "UPDATE campaign_heard_words SET owes_answer = true WHERE message_id = $1", message
        )
        await listen_again(world.kernel, {})
        assert await written(world, conversation) == [OUT_ANSWER]

    async def test_what_nobody_told_us_of_is_heard_all_the_same(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The notification does nothing, as if it had broken; the next one shows that it is past."""
        maria, joao = people(2)
        number = UUID(await world.number())
        with monkeypatch.context() as patch:
            patch.setattr(
                opt_out, "wish_of", lambda text, *lists: None if text == "Cancelar" else wish_of(text, *lists)
            )
            conversation = await customer_writes(world.server, number, maria[1:], "Cancelar")
            await customer_writes(world.server, number, joao[1:], "Parar")
            await until_out(world, joao)
        assert not await is_out(world, maria)
        await listen_again(world.kernel, {})
        assert await is_out(world, maria)
        assert await written(world, conversation) == [OUT_ANSWER]

    async def test_an_old_word_counts_and_is_not_answered(self, world: World) -> None:
        [maria] = people(1)
        number = UUID(await world.number())
        at = world.kernel.now() - timedelta(days=2)
        conversation = await customer_writes(world.server, number, maria[1:], "parar", at=at)
        await until_out(world, maria)
        await listen_again(world.kernel, {})
        assert await written(world, conversation) == []

    async def test_what_we_write_opts_nobody_out(self, world: World) -> None:
        [maria] = people(1)
        number = UUID(await world.number())
        conversation = await customer_writes(world.server, number, maria[1:], "oi")
        body = {"conversationId": str(conversation), "text": "PARAR"}
        done(await world.admin.post("/api/messages/send", body))
        await listen_again(world.kernel, {})
        assert not await is_out(world, maria)


async def by_keyword(world: World, number: str, phone: str) -> None:
    await customer_writes(world.server, UUID(number), phone[1:], "sair")


async def by_the_provider(world: World, number: str, phone: str) -> None:
    await customer_decides(world.server, UUID(number), phone[1:], accepts=False)


async def by_hand(world: World, number: str, phone: str) -> None:
    done(await world.admin.post(f"/api/contacts/{await world.contact(phone)}/opt-out"))


@pytest.mark.parametrize("road", [by_keyword, by_the_provider, by_hand])
async def test_a_word_that_comes_between_planning_and_sending_is_honoured(world: World, road: Any) -> None:
    phones = people(4)
    number = await world.number()
    campaign = await world.started(number, people=phones, delaySeconds=1)
    await world.when(campaign, lambda one: one["stats"]["sent"] >= 1 and one["stats"]["queued"] >= 1)
    await road(world, number, phones[3])
    await until_out(world, phones[3])
    shown = await world.over(campaign)
    assert (shown["stats"]["sent"] + shown["stats"]["replied"], shown["stats"]["skipped"]) == (3, {"opted_out": 1})
    texts = [(line["to"]["phone"], line["text"]) for line in await world.arrived(number)]
    assert [text for phone, text in texts if phone == phones[3] and text.startswith("Olá")] == []
