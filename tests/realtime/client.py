"""A client that is told of notes."""

from elsehu.testing.sockets import SocketClient


class Socket(SocketClient):
    """A client that knows what notes say."""

    def texts(self) -> list[str]:
        """What the notes said, in the order in which they came."""
        return [frame["data"].get("text", "") for frame in self.frames if frame["event"].startswith("note:")]

    async def says(self, *texts: str, seconds: float = 10) -> None:
        """Wait until exactly these notes have come."""
        await self.until(lambda: len(self.texts()) >= len(texts), seconds)
        assert self.texts() == list(texts), self.texts()
