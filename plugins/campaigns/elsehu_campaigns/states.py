"""The states of a campaign, and what leads from one to the next: one table, and nothing else decides."""

from collections.abc import Mapping
from enum import StrEnum

from elsehu.plugin import Conflict


class State(StrEnum):
    """Where a campaign stands."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Step(StrEnum):
    """What may happen to a campaign, by a person's word or by the runner."""

    START = "start"
    SCHEDULE = "schedule"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    FINISH = "finish"
    FAIL = "fail"


TRANSITIONS: Mapping[Step, Mapping[State, State]] = {
    Step.START: {State.DRAFT: State.RUNNING, State.SCHEDULED: State.RUNNING},
    Step.SCHEDULE: {State.DRAFT: State.SCHEDULED, State.PAUSED: State.SCHEDULED},
    Step.PAUSE: {State.SCHEDULED: State.PAUSED, State.RUNNING: State.PAUSED},
    Step.RESUME: {State.PAUSED: State.RUNNING},
    Step.CANCEL: {
        State.SCHEDULED: State.CANCELLED,
        State.RUNNING: State.CANCELLED,
        State.PAUSED: State.CANCELLED,
    },
    Step.FINISH: {State.RUNNING: State.FINISHED},
    Step.FAIL: {State.SCHEDULED: State.FAILED, State.RUNNING: State.FAILED, State.PAUSED: State.FAILED},
}
OVER = frozenset({State.FINISHED, State.CANCELLED, State.FAILED})
EDITABLE = frozenset({State.DRAFT, State.PAUSED})

ADVICE: Mapping[State, str] = {
    State.DRAFT: "It is a draft: POST …/start sends it, DELETE throws it away.",
    State.SCHEDULED: "It is scheduled: POST …/pause to change it, POST …/cancel to give it up.",
    State.RUNNING: "It is running: POST …/pause to change it, POST …/cancel to give it up.",
    State.PAUSED: "It is paused: POST …/resume goes on, POST …/cancel gives it up.",
    State.FINISHED: "It is finished. To reach those that failed, upload GET …/failures.csv for a new campaign.",
    State.CANCELLED: "It was cancelled, which is for good. Make a new campaign of what is left.",
    State.FAILED: "It failed, see stateReason. Make a new campaign when that is mended.",
}


def after(step: Step, state: State) -> State:
    """Return the state that `step` leads to from `state`. Raises Conflict `campaign_<state>`."""
    try:
        return TRANSITIONS[step][state]
    except KeyError:
        raise refused(step, state) from None


def refused(step: Step | str, state: State) -> Conflict:
    """Return the refusal of `step` (or of an edit, a deletion) in `state`, which says what can be done instead."""
    return Conflict(f"campaign_{state}", f"A campaign that is {state} takes no {step}. {ADVICE[state]}", state=state)
