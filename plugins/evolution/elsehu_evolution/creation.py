"""The instance at Evolution: found, created, taken over, and made what it must be (sections 2, 3 and 13)."""

import re

from elsehu.plugin import Instance, InstanceSick, Rejected, digits_of

from .client import Server
from .flavours import Json, mapping, text
from .webhook import align_settings, align_webhook, settings_of, webhook_of

BAILEYS = "WHATSAPP-BAILEYS"
OLDEST_VERSION = 2
VERSION = re.compile(r"v?(\d+)\.")


async def refuse_v1(server: Server) -> None:
    """Refuse servers of another generation, whose requests and webhooks have other shapes (section 13).

    Asked once a server: each time makes it ask WhatsApp (section 1). A proxy may hide the page that tells the
    version: then the routes themselves decide.
    """
    try:
        said = mapping(await server.ask_server("GET", "/"))
    except (InstanceSick, Rejected):
        return
    version = text(said.get("version")) or ""
    found = VERSION.match(version)
    if found and int(found[1]) < OLDEST_VERSION:
        raise Rejected(
            "provider_version_unsupported",
            f"This server is an Evolution API {version}. Elsehu speaks with 2.2 and later: update the server.",
            version[:60],
        )


async def find(server: Server) -> Json | None:
    """Return the server's record of the instance, or None where there is none that our key opens."""
    try:
        found = await server.ask_server("GET", "/instance/fetchInstances", params={"instanceName": server.name})
    except InstanceSick as error:
        if error.code == "instance_missing":
            return None
        raise
    records = found if isinstance(found, list) else [found]
    return next((mapping(one) for one in records if mapping(one).get("name") == server.name), None)


async def create(server: Server, instance: Instance) -> Json:
    """Create the instance with its webhook; one of that name that our key opens after all is taken over."""
    phone = digits_of(instance.phone)
    webhook = {name: value for name, value in webhook_of(instance).items() if name != "enabled"}
    body = {
        "instanceName": server.name,
        "integration": BAILEYS,
        "qrcode": False,
        **settings_of(instance),
        **({"number": phone} if phone else {}),
        "webhook": webhook,
    }
    try:
        return mapping(await server.ask_server("POST", "/instance/create", body))
    except InstanceSick as error:
        if error.code != "provider_key_refused":
            raise
        raise InstanceSick(
            "instance_missing",
            f"There is no instance {server.name!r} that this key opens, and only the global key creates one. Give "
            "the global key, or create the instance and give its name in credentials.instanceName.",
        ) from None
    except Rejected as error:
        if error.provider_code != "403":
            raise
        return await _take_over(server, instance)


async def _take_over(server: Server, instance: Instance) -> Json:
    record = await find(server)
    if record is None:
        raise InstanceSick(
            "instance_name_taken",
            f"Evolution has an instance {server.name!r} that this key does not open. Give its key, or another "
            "name in credentials.instanceName.",
        )
    await align(server, instance, record)
    return record


async def align(server: Server, instance: Instance, record: Json) -> None:
    """Set webhook and settings where they differ; `base64` is read only when a session starts (section 3)."""
    was_without_base64 = await align_webhook(server, instance)
    await align_settings(server, instance)
    if was_without_base64 and record.get("connectionStatus") == "open":
        await server.ask("POST", "instance/restart")
