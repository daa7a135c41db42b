"""The settings of a sandbox instance."""

from typing import Annotated, Literal

from pydantic import Field

from elsehu.plugin import Instance, PluginModel, canonical
from elsehu_sandbox.faults import Seconds, StandingFault

Delay = Annotated[float, Field(ge=0, le=86_400)]


class Delays(PluginModel):
    """When a sent message is delivered, read and answered, in seconds after it was taken (null: never)."""

    delivered_seconds: Delay | None = 0.5
    read_seconds: Delay | None = 2.0
    reply_seconds: Delay | None = 4.0


class Line(PluginModel):
    """One line of a script: a customer writes `text`, `after` seconds after the number was first connected."""

    after: Seconds = 0.0
    text: str = Field(min_length=1, max_length=4096)
    phone: str = Field("+5511987654321", pattern=r"^\+\d{8,15}$")
    name: str = "Maria Souza"


class SandboxSettings(PluginModel):
    """`script`: nothing, `hello` (a customer greets once and answers what she is written), or lines of your own.

    `absent` are phones that nobody has.
    """

    script: Literal["hello"] | tuple[Line, ...] | None = None
    delays: Delays = Delays()
    faults: tuple[StandingFault, ...] = ()
    require_pairing: bool = False
    messages_per_second: float | None = Field(None, gt=0, le=1000)
    absent: tuple[Annotated[str, Field(pattern=r"^\+\d{8,15}$")], ...] = ()

    def has(self, phone: str) -> bool:
        """Whether anybody has a phone, given by its digits."""
        return canonical(phone) not in map(canonical, self.absent)


def settings_of(instance: Instance) -> SandboxSettings:
    """Return the settings of `instance`."""
    return SandboxSettings.model_validate(instance.settings)
