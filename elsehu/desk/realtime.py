"""What the desk offers on the socket: nothing of its own. Its changes are told as `conversation:*` by messaging."""

from collections.abc import Sequence

from elsehu.realtime.registry import ClientEvent

CLIENT_EVENTS: Sequence[ClientEvent] = ()
