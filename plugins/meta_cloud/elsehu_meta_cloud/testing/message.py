"""One message that was posted, and the checks that all kinds share."""

from typing import Any

from .errors import GraphError, bad, missing
from .world import World


class Message:
    """One body that was posted to ``/<number>/messages``."""

    def __init__(self, world: World, number_id: str, body: dict[str, Any]) -> None:
        self.world = world
        self.number_id = number_id
        self.body = body
        self.type = str(body.get("type", "text"))

    @property
    def content(self) -> dict[str, Any]:
        """What stands under the type. Raises GraphError where it is no object."""
        content = self.body.get(self.type)
        if not isinstance(content, dict):
            raise missing(self.type)
        return content

    @property
    def quoted(self) -> str | None:
        """The message that it answers."""
        context = self.body.get("context")
        return context.get("message_id") if isinstance(context, dict) else None


def text_within(value: Any, name: str, most: int, least: int = 1) -> None:
    """Raise GraphError unless ``value`` is a text of fitting length."""
    if not isinstance(value, str):
        raise missing(name)
    if not least <= len(value) <= most:
        raise bad(f"{name} must have between {least} and {most} characters")


def check_file(message: Message, content: dict[str, Any], kind: str) -> None:
    """Raise GraphError unless there is either the id of a file of this number, or a link."""
    if ("id" in content) == ("link" in content):
        raise GraphError(100, f"Exactly one of {kind}['id'] and {kind}['link'] must be given")
    if "link" in content:
        if not str(content["link"]).startswith("https://"):
            raise bad(f"{kind}.link must be an https address")
        return
    file = message.world.files.get(str(content["id"]))
    if file is None or file.number_id != message.number_id:
        raise GraphError(100, f"Param {kind}['id'] is not a valid whatsapp business account media attachment ID")
