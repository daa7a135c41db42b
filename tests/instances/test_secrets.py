"""What of an instance's credentials nobody may see."""

from typing import Any

import pytest
from pydantic import SecretStr

from elsehu.instances.configuration import secrets_of
from elsehu.plugin import PluginModel


class One(PluginModel):
    server: str
    key: SecretStr


class Several(PluginModel):
    name: str
    keys: list[SecretStr]
    token: SecretStr | None = None


class Undeclared(PluginModel):
    url: str
    key: str


CASES: list[tuple[type[PluginModel], dict[str, Any], list[str]]] = [
    (One, {"server": "https://x.example", "key": "secret-1"}, ["secret-1"]),
    (Several, {"name": "shown", "keys": ["secret-1", "secret-2"]}, ["secret-1", "secret-2"]),
    (Several, {"name": "shown", "keys": ["secret-1"], "token": "secret-3"}, ["secret-1", "secret-3"]),
    (Several, {"name": "shown", "keys": ["abc"], "token": "secret-3"}, ["secret-3"]),
    (Undeclared, {"url": "https://x.example", "key": "secret-1"}, ["secret-1"]),
    (One, {"server": 7, "key": "secret-1"}, ["secret-1"]),
]


@pytest.mark.parametrize(("schema", "credentials", "secrets"), CASES)
def test_what_a_schema_declares_as_secret_is_hidden(
    schema: type[PluginModel], credentials: dict[str, Any], secrets: list[str]
) -> None:
    assert secrets_of(schema, credentials) == secrets
