"""The plugin's own table in `elsehu.toml`."""

from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field

from elsehu.plugin import PluginModel


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("is no time zone: write one as America/Sao_Paulo or Europe/Lisbon")
    return name


Zone = Annotated[str, AfterValidator(_known_zone)]
"""The name of a time zone in the IANA database."""


class CampaignSettings(PluginModel):
    """`[plugins.campaigns]`.

    Attributes:
        timezone: in which windows and days are counted where a campaign does not say.
        ahead: most messages of one campaign that wait in its number's queue.
        ahead_seconds: for how long the queue of a paced campaign is filled.
    """

    timezone: Zone = "America/Sao_Paulo"
    ahead: int = Field(2_000, ge=1, le=20_000)
    ahead_seconds: float = Field(180.0, ge=1, le=3600)
