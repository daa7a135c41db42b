"""How much is measured: the whole in about five minutes, `--quick` in about one, for trying things out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """`rounds` are alternations; each side of one sends so many requests, or lasts so many seconds."""

    rounds: int = 5
    webhooks: int = 8_000
    customers: int = 2_000
    conversations: int = 100_000
    messages_each: int = 10
    lists: int = 400
    sends: int = 3_000
    single_sends: int = 300
    bulk: int = 5_000
    recipients: int = 5_000
    contacts: int = 100_000
    imports: int = 3
    sockets: int = 1_000
    socket_seconds: float = 8
    starts: int = 3


QUICK = Sizes(
    rounds=2,
    webhooks=3_000,
    conversations=10_000,
    lists=100,
    sends=1_000,
    single_sends=100,
    bulk=2_000,
    recipients=2_000,
    contacts=10_000,
    imports=1,
    socket_seconds=3,
    starts=1,
)
