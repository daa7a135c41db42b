"""The REST shape of an instance. Nothing secret is read here, so nothing secret can leave."""

from typing import Any
from uuid import UUID

import orjson

from elsehu.clock import isoformat
from elsehu.db import Row
from elsehu.instances.opening import webhook_url
from elsehu.kernel import Kernel

SHOWN = "id, name, phone, provider, is_active, status, status_detail, last_seen_at, health, created_at"


def instance_view(kernel: Kernel, row: Row) -> dict[str, Any]:
    """Return what a frontend sees of a row of SHOWN columns."""
    instance_id: UUID = row["id"]
    return {
        "id": str(instance_id),
        "name": row["name"],
        "phone": row["phone"],
        "provider": row["provider"],
        "isActive": row["is_active"],
        "status": row["status"],
        "statusDetail": row["status_detail"],
        "lastSeenAt": row["last_seen_at"] and isoformat(row["last_seen_at"]),
        "health": orjson.loads(row["health"]),
        "abilities": kernel.plugins.abilities(row["provider"]),
        "webhookUrl": webhook_url(kernel, row["provider"], instance_id),
        "createdAt": isoformat(row["created_at"]),
    }
