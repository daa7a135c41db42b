"""Everything that goes wrong on demand, seen from the caller's side, and what then is true on the phone."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from elsehu_evolution.testing import (
    EvolutionStandin,
    Standin,
    running_standin,
    standin_process,
    webhook_receiver,
)

SEND = "POST /message/sendText/*"


@pytest.fixture
def standin() -> Iterator[EvolutionStandin]:
    with running_standin(retry_base=0.02, reconnect_wait=0.001) as standin:
        standin.add_instance("wa")
        yield standin


def send(standin: Standin, text: str = "oi", *, timeout: float = 5.0) -> httpx.Response:
    url = f"{standin.url}/message/sendText/wa"
    body = {"number": "5511988887777", "text": text}
    return httpx.post(url, json=body, headers={"apikey": standin.global_key}, timeout=timeout, trust_env=False)


def texts(standin: Standin) -> list[str | None]:
    return [arrived.text for arrived in standin.phone]


def test_an_answered_error_delivers_nothing_and_strikes_once(standin: EvolutionStandin) -> None:
    fault = standin.faults.answer(SEND, 429, {"message": "slow down"}, headers={"retry-after": "2"})
    refused = send(standin)
    assert (refused.status_code, refused.json(), refused.headers["retry-after"]) == (429, {"message": "slow down"}, "2")
    assert texts(standin) == []
    assert send(standin).status_code == 201
    assert (texts(standin), standin.faults.hits(fault)) == (["oi"], 1)


def test_a_default_error_has_the_servers_shape(standin: EvolutionStandin) -> None:
    standin.faults.answer(SEND, 503)
    assert send(standin).json()["response"]["message"] == "injected fault"


@pytest.mark.parametrize("accepted", [False, True])
def test_a_connection_closed_without_an_answer(standin: EvolutionStandin, accepted: bool) -> None:
    standin.faults.add(SEND, "close", accepted=accepted)
    with pytest.raises(httpx.RemoteProtocolError):
        send(standin)
    assert texts(standin) == (["oi"] if accepted else [])
    assert (standin.requests[-1].status, standin.requests[-1].body["text"]) == (0, "oi")


@pytest.mark.parametrize("accepted", [False, True])
def test_a_call_that_is_never_answered(standin: EvolutionStandin, accepted: bool) -> None:
    standin.faults.add(SEND, "hang", accepted=accepted)
    with pytest.raises(httpx.ReadTimeout):
        send(standin, timeout=0.1)
    assert texts(standin) == (["oi"] if accepted else [])


def test_a_hanging_call_is_closed_when_its_time_is_over(standin: EvolutionStandin) -> None:
    standin.faults.accept_and_hang(SEND, seconds=0.05)
    with pytest.raises(httpx.RemoteProtocolError):
        send(standin)
    assert texts(standin) == ["oi"]


def test_an_accepted_message_is_echoed_though_its_answer_was_lost(standin: EvolutionStandin) -> None:
    with webhook_receiver() as receiver:
        standin.add_instance("wa", webhook={"url": receiver.url, "events": ["SEND_MESSAGE"]})
        standin.faults.accept_and_close(SEND)
        with pytest.raises(httpx.RemoteProtocolError):
            send(standin)
        standin.settle()
        assert receiver.received[0].data["key"]["id"] == standin.phone[0].id


def test_a_late_answer_and_a_broken_one(standin: EvolutionStandin) -> None:
    standin.faults.delay(SEND, 0.1)
    assert send(standin).elapsed.total_seconds() >= 0.1
    standin.faults.malformed(SEND)
    with pytest.raises(ValueError, match="Unterminated"):
        send(standin).json()
    assert len(standin.phone) == 2


def test_faults_can_be_aimed_counted_and_lifted(standin: EvolutionStandin) -> None:
    standin.faults.answer(SEND, 500, times=2, containing='"tres"')
    standin.faults.answer("GET *", 500, times=None)
    assert [send(standin, text).status_code for text in ("um", "tres", "tres", "tres")] == [201, 500, 500, 201]
    standin.faults.clear()
    assert httpx.get(standin.url, trust_env=False).status_code == 200


def test_chances_repeat_with_the_seed() -> None:
    def outcomes() -> list[int]:
        with running_standin(seed=7) as standin:
            standin.add_instance("wa")
            standin.faults.answer(SEND, 500, times=None, probability=0.5)
            return [send(standin).status_code for _ in range(12)]

    first = outcomes()
    assert first == outcomes()
    assert set(first) == {201, 500}


def test_nonsense_is_refused_at_once(standin: EvolutionStandin) -> None:
    with pytest.raises(ValueError, match="no effect 'explode'"):
        standin.faults.add(SEND, "explode")
    with pytest.raises(LookupError):
        standin.call("state", instance="nobody")


def test_webhooks_can_be_dropped_doubled_and_reordered(standin: EvolutionStandin) -> None:
    with webhook_receiver() as receiver:
        standin.add_instance("wa", webhook={"url": receiver.url, "events": ["MESSAGES_UPSERT"]})
        standin.faults.drop_webhook("messages.upsert", containing="um")
        standin.faults.duplicate_webhook("messages.*", copies=3, containing="dois")
        standin.faults.hold_webhook("messages.upsert", behind=4, containing="tres")
        maria = standin.customer(phone="5511988887777")
        for text in ("um", "dois", "tres", "quatro"):
            maria.says(text)
        standin.settle()
        came = [received.data["message"]["conversation"] for received in receiver.received]
    assert sorted(came) == ["dois", "dois", "dois", "quatro", "tres"]
    assert came[-1] == "tres"


def test_a_held_webhook_comes_by_itself_when_none_follows(standin: EvolutionStandin) -> None:
    with webhook_receiver() as receiver:
        standin.add_instance("wa", webhook={"url": receiver.url, "events": ["MESSAGES_UPSERT"]})
        standin.faults.hold_webhook("messages.upsert", seconds=0.05)
        standin.customer(phone="5511988887777").says("sozinha")
        standin.settle()
        assert len(receiver.received) == 1


def test_a_stopped_server_refuses_and_what_people_write_meanwhile_comes_late(standin: EvolutionStandin) -> None:
    with webhook_receiver() as receiver:
        standin.add_instance("wa", webhook={"url": receiver.url, "events": ["MESSAGES_UPSERT"]})
        standin.stop()
        with pytest.raises(httpx.ConnectError):
            send(standin)
        written = time.time() - 60
        standin.customer(phone="5511988887777").says("enquanto isso", at=written)
        standin.start()
        standin.wait_until(lambda: receiver.received)
        assert receiver.received[0].data["messageTimestamp"] == int(written)
        assert send(standin).status_code == 201


def test_stopping_loses_the_webhooks_under_way(standin: EvolutionStandin) -> None:
    with webhook_receiver() as receiver:
        standin.add_instance("wa", webhook={"url": receiver.url, "events": ["MESSAGES_UPSERT"]})
        receiver.answers[:] = [500] * 99
        standin.customer(phone="5511988887777").says("oi")
        standin.wait_until(lambda: receiver.received)
        standin.stop()
        standin.start()
        standin.settle()
        assert standin.webhooks[0].state == "lost"


def test_stopping_cuts_calls_that_are_open(standin: EvolutionStandin) -> None:
    async def scenario() -> None:
        standin.faults.accept_and_hang(SEND)
        call = asyncio.create_task(asyncio.to_thread(send, standin))
        while not standin.phone:
            await asyncio.sleep(0.005)
        standin.stop()
        with pytest.raises(httpx.RemoteProtocolError):
            await call

    asyncio.run(scenario())


def test_a_dropped_connection_refuses_sends_and_keeps_messages_for_later(standin: EvolutionStandin) -> None:
    standin.drop()
    assert send(standin).json()["response"]["message"] == "Connection Closed"
    standin.customer(phone="5511988887777").says("oi")
    assert standin.state()["stored"] == 0
    standin.reconnect()
    assert standin.state()["stored"] == 1


def test_an_unlinked_phone_gets_nothing_and_needs_a_new_scan(standin: EvolutionStandin) -> None:
    standin.unlink()
    standin.customer(phone="5511988887777").says("oi")
    with pytest.raises(ValueError, match="needs a new scan"):
        standin.reconnect()
    httpx.get(f"{standin.url}/instance/connect/wa", headers={"apikey": standin.global_key}, trust_env=False)
    standin.scan()
    assert (standin.state()["state"], standin.state()["stored"]) == ("open", 0)


def test_a_body_that_no_rule_foresaw_is_an_error_in_json(standin: EvolutionStandin) -> None:
    url = f"{standin.url}/message/sendContact/wa"
    body = {"number": "5511988887777", "contact": ["Ana"]}
    response = httpx.post(url, json=body, headers={"apikey": standin.global_key}, trust_env=False)
    assert (response.status_code, response.json()["error"]) == (500, "Internal Server Error")


def test_requests_are_remembered_with_key_body_and_status(standin: EvolutionStandin) -> None:
    send(standin, "lembra?")
    record = standin.requests[-1]
    assert (record.method, record.path, record.key, record.status) == ("POST", "/message/sendText/wa", "evo-key", 201)
    assert record.body == {"number": "5511988887777", "text": "lembra?"}
    standin.forget()
    assert (standin.requests, standin.phone) == ([], [])


def test_the_same_words_hold_a_stand_in_in_another_process() -> None:
    options: dict[str, Any] = {"version": "1.8.2", "retry_base": 0.02, "expose_apikey": False, "seed": 3}
    with webhook_receiver() as receiver, standin_process(**options) as standin:
        assert httpx.get(standin.url, trust_env=False).json()["version"] == "1.8.2"
        standin.add_instance("wa", webhook={"url": receiver.url, "events": ["MESSAGES_UPSERT"]})
        maria = standin.customer(phone="5511988887777")
        maria.sends_image(b"\x89PNG and more", caption="foto")
        standin.settle()
        assert receiver.received[0].body["apikey"] is None
        assert send(standin).status_code == 201
        assert [arrived.text for arrived in maria.received] == ["oi"]
        with pytest.raises(ValueError, match="nobody"):
            standin.state("nobody")
        standin.outage(0.3)
        with pytest.raises(httpx.ConnectError):
            while True:
                send(standin)
        standin.wait_until(lambda: answers(standin))
        assert {arrived.text for arrived in standin.phone} == {"oi"}


def answers(standin: Standin) -> bool:
    try:
        return httpx.get(standin.url, trust_env=False).is_success
    except httpx.ConnectError:
        return False


def test_five_hundred_sends_arrive_exactly_once_each(standin: EvolutionStandin) -> None:
    async def scenario() -> None:
        headers = {"apikey": standin.global_key}
        async with httpx.AsyncClient(base_url=standin.url, headers=headers, trust_env=False) as client:
            bodies = [{"number": "5511988887777", "text": str(index)} for index in range(500)]
            gate = asyncio.Semaphore(16)

            async def one(body: dict[str, str]) -> str:
                async with gate:
                    return str((await client.post("/message/sendText/wa", json=body)).json()["key"]["id"])

            ids = await asyncio.gather(*map(one, bodies))
            assert len(set(ids)) == 500

    asyncio.run(scenario())
    assert sorted(int(text or -1) for text in texts(standin)) == list(range(500))
