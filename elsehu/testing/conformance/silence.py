"""Checks of what must not be seen: secrets, and output of the plugin's own."""

import orjson

from elsehu.contracts.http import Answer
from elsehu.ids import new_token
from elsehu.testing.conformance.house import House
from elsehu.testing.conformance.outcome import Check, require
from elsehu.testing.conformance.seeing import around
from elsehu.testing.conformance.trial import Trial
from elsehu.testing.conformance.wire import Request


async def secrets_stay_secret(trial: Trial) -> None:
    """Have the provider repeat each request's secrets in its errors, then look for all secrets everywhere."""
    house = await trial.house()
    await _echoing(house)
    instance = await house.instance()
    require(not any(mark in repr(instance) for mark in house.marks), "repr(Instance) shows a secret")
    found = [*trial.found, *await house.secrets_in_database(trial.marks | house.marks)]
    found += [f"a log line ({seen})" for line in trial.spoken if (seen := around(line, trial.marks | house.marks))]
    require(not found, "a secret is in: " + ", ".join(list(dict.fromkeys(found))[:5]))


async def _echoing(house: House) -> None:
    """The provider is careless: its errors repeat what it was sent."""

    def repeat(status: int) -> object:
        def effect(request: Request) -> Answer:
            text = f"{request.method} refused for {' '.join(sorted(house.secrets))}"
            return Answer(status, {"content-type": "application/json"}, orjson.dumps({"message": text}))

        return effect

    conversation = await house.says(house.written())
    with house.wire.disturbed(repeat(400), everywhere=True):  # type: ignore[arg-type]
        sent = await house.send(conversation, f"echoed {new_token(4)}")
        await house.call("GET", f"/api/messages/{sent['id']}")
    for status in (400, 401, 500):
        with house.wire.disturbed(repeat(status), everywhere=True):  # type: ignore[arg-type]
            await house.call("GET", f"{house.path}/status")
            await house.call("POST", f"{house.path}/connect")
    await house.call("POST", f"{house.path}/connect")
    await house.connected()


async def prints_nothing(trial: Trial) -> None:
    """Look at what the plugin wrote to standard output while all of this ran."""
    require(not trial.printed, f"it printed {trial.printed[0]!r:.200}" if trial.printed else "")


CHECKS = (
    Check(
        "secrets stay secret",
        "Leave secrets out of `raw`, of what you log and of errors: clean a body before you keep it, and do not "
        "repeat the provider's words where they may hold a token.",
        secrets_stay_secret,
    ),
)
LAST = (Check("nothing is printed", "Use context.log('an_event', key=value) instead of print.", prints_nothing),)
