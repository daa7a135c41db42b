"""The plugin's own table in `elsehu.toml`."""

from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, StringConstraints

from elsehu.plugin import PluginModel
from elsehu_campaigns.words import LONGEST, plain

NAME = "campaigns"
OUT = ("PARAR", "PARE", "SAIR", "STOP", "CANCELAR", "DESCADASTRAR", "DESCADASTRE", "REMOVER", "NÃO QUERO RECEBER")
BACK = ("VOLTAR", "QUERO RECEBER")
OUT_ANSWER = "Pronto: você não receberá mais nossas mensagens de divulgação. Se mudar de ideia, escreva VOLTAR."


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("is no time zone: write one as America/Sao_Paulo or Europe/Lisbon")
    return name


def _says_something(word: str) -> str:
    if not plain(word):
        raise ValueError("must have a letter or a digit")
    return word


Word = Annotated[str, StringConstraints(max_length=LONGEST), AfterValidator(_says_something)]
Zone = Annotated[str, AfterValidator(_known_zone)]
"""The name of a time zone in the IANA database."""


class CampaignSettings(PluginModel):
    """`[plugins.campaigns]`.

    Attributes:
        timezone: in which windows and days are counted where a campaign does not say.
        ahead: most messages of one campaign that wait in its number's queue.
        ahead_seconds: for how long the queue of a paced campaign is filled.
        max_file_bytes, max_file_rows, max_file_columns: how large an uploaded list may be.
        keep_files_days: after how many days a list that no campaign uses is deleted.
        check_seconds: pause between two questions to a provider about which numbers exist.
        check_patience: for how many seconds a provider that fails to answer them is asked again.
        opt_out_words, opt_in_words: messages of a customer that end campaigns for them, or let them begin again.
        opt_out_answer: what they are told then, once (empty: nothing).
    """

    timezone: Zone = "America/Sao_Paulo"
    ahead: int = Field(2_000, ge=1, le=20_000)
    ahead_seconds: float = Field(180.0, ge=1, le=3600)
    max_file_bytes: int = Field(50_000_000, ge=1, le=1_000_000_000)
    max_file_rows: int = Field(200_000, ge=1, le=2_000_000)
    max_file_columns: int = Field(250, ge=1, le=1_000)
    keep_files_days: float = Field(30.0, gt=0, le=3650)
    check_seconds: float = Field(2.0, ge=0, le=600)
    check_patience: float = Field(600.0, ge=0, le=86_400)
    opt_out_words: tuple[Word, ...] = OUT
    opt_in_words: tuple[Word, ...] = BACK
    opt_out_answer: str = Field(OUT_ANSWER, max_length=1000)
