"""From a row to the instance that plugins are handed: decrypted, with the defaults of the provider's schemas."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
import structlog
from pydantic import BaseModel, ValidationError

from elsehu.contracts.instance import Instance, InstanceStatus
from elsehu.db import Row
from elsehu.instances.configuration import Configuration, completed
from elsehu.instances.sealing import unseal, unseal_text
from elsehu.kernel import Kernel
from elsehu.secretbox import SecretBox

log = structlog.get_logger("elsehu.instances")

READ = """
SELECT id, name, phone, provider, is_active, status, credentials, state, webhook_secret, settings
FROM service_instances
"""


@dataclass(frozen=True, slots=True)
class Opened:
    """The decrypted parts of a row."""

    configuration: Configuration
    state: Mapping[str, Any]
    webhook_secret: str


def sealed_parts(row: Row) -> tuple[Any, ...]:
    """Return what `open_row` reads: as long as it is the same, so is what comes out."""
    return row["credentials"], row["settings"], row["state"], row["webhook_secret"]


def open_row(kernel: Kernel, row: Row) -> Opened:
    """Decrypt the secret parts of a row of READ. Raises WrongSecretKey."""
    box = kernel.secrets
    configuration = _complete(kernel, row, kept_configuration(box, row))
    return Opened(configuration, unseal(box, row["state"]), unseal_text(box, row["webhook_secret"]))


def instance_of(kernel: Kernel, row: Row, opened: Opened) -> Instance:
    """Return the instance of a row of READ."""
    return Instance(
        id=row["id"],
        name=row["name"],
        phone=row["phone"],
        provider=row["provider"],
        credentials=opened.configuration.credentials,
        settings=opened.configuration.settings,
        state=opened.state,
        status=InstanceStatus(row["status"]),
        webhook_url=webhook_url(kernel, row["provider"], row["id"]),
        webhook_secret=opened.webhook_secret,
        is_active=row["is_active"],
    )


def webhook_url(kernel: Kernel, provider: str, instance_id: UUID) -> str:
    """Return where `provider` reaches us for one instance."""
    return f"{kernel.settings.base_url}/api/webhooks/{provider}/{instance_id}"


def kept_configuration(box: SecretBox, row: Row) -> Configuration:
    """Return what a person set on the instance of `row`. Raises WrongSecretKey."""
    return Configuration(unseal(box, row["credentials"]), orjson.loads(row["settings"]))


def _complete(kernel: Kernel, row: Row, kept: Configuration) -> Configuration:
    spec = kernel.plugins.spec(row["provider"])
    if spec is None:
        return kept
    return Configuration(
        _completed(spec.credentials, kept.credentials, row["id"]),
        _completed(spec.settings, kept.settings, row["id"]),
    )


def _completed(schema: type[BaseModel], kept: Mapping[str, Any], instance_id: UUID) -> Mapping[str, Any]:
    try:
        return completed(schema, kept)
    except ValidationError as error:
        fields = [".".join(map(str, found["loc"])) for found in error.errors(include_input=False)]
        log.warning("instance_configuration_outdated", instance=str(instance_id), fields=fields)
        return kept
