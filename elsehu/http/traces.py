"""Tracebacks for the log: where it broke and of what kind the error is. What it says can quote anybody's words.

An exception of Python or of a driver repeats the value that it stumbled over: a customer's text, a password. So only
kinds that speak of the program or the machine keep their words.
"""

import traceback
from collections.abc import Iterator
from types import TracebackType

Raised = tuple[type[BaseException], BaseException, TracebackType | None]

WITHHELD = "(its words are withheld: they may quote somebody)"
SPEAKING_OF_THE_PROGRAM = (
    "AssertionError",
    "AttributeError",
    "ImportError",
    "IndexError",
    "ModuleNotFoundError",
    "NameError",
    "NotImplementedError",
    "RecursionError",
    "TypeError",
    "ZeroDivisionError",
)


def trace_of_raised(exc_info: Raised) -> str:
    """Return the traceback of an `exc_info`, without what the errors in it say."""
    whole = traceback.TracebackException(*exc_info)
    for one in _all_of(whole):
        _withhold(one)
    return "".join(whole.format()).rstrip("\n")


def trace_of_error(error: BaseException) -> str:
    """Return the traceback of `error`, without what the errors in it say."""
    return trace_of_raised((type(error), error, error.__traceback__))


def _all_of(one: traceback.TracebackException) -> Iterator[traceback.TracebackException]:
    yield one
    for other in (one.__cause__, one.__context__, *(one.exceptions or ())):
        if other is not None:
            yield from _all_of(other)


def _withhold(one: traceback.TracebackException) -> None:
    kind = one.exc_type
    if kind is None or kind.__name__ in SPEAKING_OF_THE_PROGRAM or issubclass(kind, OSError):
        return
    vars(one)["_str"] = WITHHELD
    one.__notes__ = None
    if issubclass(kind, SyntaxError):
        one.text, one.msg = "", WITHHELD
