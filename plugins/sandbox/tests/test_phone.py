"""The phone's memory: what it was written outlives a kill, and several processes may hold the same phone."""

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from elsehu_sandbox.faults import Throttle
from elsehu_sandbox.phone import Phone, PhoneState

WRITE_FOR_EVER = """
import sys; from pathlib import Path; from uuid import UUID; from elsehu_sandbox.phone import Phone
phone = Phone(Path(sys.argv[1]), UUID(sys.argv[2]))
for number in range(10**9):
    phone.write([{"type": "message", "id": str(number)}])
    print(number, flush=True)
"""


@pytest.fixture
def phone(tmp_path: Path) -> Phone:
    return Phone(tmp_path / "not yet there", uuid4())


async def test_what_was_written_survives_a_kill(phone: Phone) -> None:
    arguments = [sys.executable, "-c", WRITE_FOR_EVER, str(phone.folder), str(phone.instance_id)]
    writer = await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.PIPE)
    assert writer.stdout
    said = [int(await writer.stdout.readline()) for _ in range(500)]
    writer.kill()
    said += [int(line) async for line in writer.stdout if line.endswith(b"\n")]
    await writer.wait()
    kept = [int(line["id"]) for _, line in phone.read()]
    assert kept[: len(said)] == said


def test_two_writers_do_not_spoil_each_others_lines(phone: Phone) -> None:
    def write(writer: int) -> None:
        for number in range(200):
            phone.write([{"id": f"{writer}-{number}", "text": "x" * 500}, {"id": f"{writer}-{number}b"}])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert len({line["id"] for _, line in phone.read()}) == 4 * 200 * 2


def test_a_change_of_state_is_seen_whole_and_none_is_lost(phone: Phone) -> None:
    def order(_: int) -> None:
        with phone.changing() as state:
            state.faults.append(Throttle(kind="throttle"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(order, range(100)))
    assert len(phone.state().faults) == 100


def test_a_change_that_fails_changes_nothing(phone: Phone) -> None:
    with pytest.raises(RuntimeError), phone.changing() as state:
        state.paired = True
        raise RuntimeError("stop")
    assert phone.state() == PhoneState()


def test_reading_goes_on_where_it_stopped(phone: Phone) -> None:
    phone.write([{"id": "1"}, {"id": "2"}])
    [(_, first), (offset, second)] = phone.read()
    phone.write([{"id": "3"}])
    assert [first["id"], second["id"], *(line["id"] for _, line in phone.read(offset))] == ["1", "2", "3"]


@pytest.mark.parametrize("start", [1, 5, 10_000])
def test_reading_starts_at_a_line(phone: Phone, start: int) -> None:
    phone.write([{"id": "1"}])
    with pytest.raises(ValueError, match="no line starts"):
        list(phone.read(start))


def test_between_is_in_the_order_of_time(phone: Phone) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    minutes = [2, 0, 1, -1, 3]
    phone.write([{"id": minute, "at": (noon + timedelta(minutes=minute)).isoformat()} for minute in minutes])
    assert [line["id"] for line in phone.between(noon, noon + timedelta(minutes=2))] == [0, 1, 2]


def test_a_forgotten_phone_is_gone(phone: Phone) -> None:
    phone.write([{"id": "1"}])
    with phone.changing() as state:
        state.paired = True
    phone.forget()
    assert list(phone.folder.iterdir()) == []
