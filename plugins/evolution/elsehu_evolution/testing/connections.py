"""What connections, and the server itself, can be made to do. ``control`` says how these are called."""

from typing import Any

from . import sessions
from .backend import Backend
from .faults import Fault
from .ids import api_message_id
from .records import Delivered, RequestRecord, WebhookRecord
from .webhook_routes import ACCEPTED
from .world import BAILEYS, Instance, Json, WebhookConfig

OWNER = "5511955550001"


def add_instance(
    backend: Backend,
    name: str = "wa",
    *,
    webhook: Json | None = None,
    phone: str | None = OWNER,
    profile_name: str = "Loja Teste",
    token: str | None = None,
) -> str:
    """Add a Baileys instance and return its token; with a phone it is connected at once.

    ``webhook`` has ``url`` and if wanted ``events`` (default: all), ``headers``, ``by_events``, ``base64``.
    """
    instance = Instance(name, BAILEYS, token or api_message_id())
    every: Json = {"events": list(ACCEPTED)}
    if webhook:
        instance.webhook = WebhookConfig(**(every | webhook))
    backend.world.instances[name] = instance
    if phone:
        sessions.link(instance, phone, profile_name)
        sessions.opened(backend, instance)
    return instance.token


def scan(backend: Backend, instance: Instance, phone: str = OWNER, profile_name: str = "Loja Teste") -> None:
    """Scan the QR code (or type the pairing code) with a phone."""
    if instance.qr is None:
        raise ValueError(f"{instance.name} shows no code: call instance/connect first")
    sessions.scan(backend, instance, phone, profile_name)


def rotate_code(backend: Backend, instance: Instance) -> None:
    """Show the next QR code now."""
    sessions.show_code(backend, instance)


def exhaust_codes(backend: Backend, instance: Instance) -> None:
    """Let the codes reach their limit."""
    sessions.give_up(backend, instance)


def unlink(backend: Backend, instance: Instance) -> None:
    """Log out from the phone, which looks like a call of ``logout``."""
    sessions.logged_out(backend, instance)


def end(backend: Backend, instance: Instance, reason: int) -> None:
    """End the session for good with 401, 402, 403 or 406."""
    sessions.ended(backend, instance, reason, "Connection Failure")


def drop(backend: Backend, instance: Instance) -> None:
    """Lose the connection (408, 428, 440, 500, 503, 515): it stays connecting until ``reconnect``."""
    sessions.dropped(backend, instance)


def reconnect(backend: Backend, instance: Instance) -> None:
    """Come back after a drop, and take what WhatsApp kept."""
    if not instance.linked:
        raise ValueError(f"{instance.name} has no phone any more: it needs a new scan")
    sessions.opened(backend, instance)


def storm(backend: Backend, instance: Instance, events: int = 50, per_second: float = 37.0) -> None:
    """Flap for a while, then come back."""
    backend.run(sessions.storm(backend, instance, events, per_second))


def set_reachable(backend: Backend, reachable: bool) -> None:
    """Put WhatsApp in or out of reach of new sessions."""
    backend.world.reachable = reachable


def state(backend: Backend, instance: Instance) -> Json:
    """Return what an instance is like: its state, and what was marked as read or shown as presence."""
    return {
        "state": instance.state,
        "linked": instance.linked,
        "waiting": len(instance.backlog),
        "stored": len(instance.messages),
        "reads": list(instance.reads),
        "presences": list(instance.presences),
        "pairing": sessions.shown_code(instance),
    }


def add_group(backend: Backend, jid: str, subject: str, participants: list[Json]) -> None:
    """Make a group known: participants have ``id``, ``phoneNumber`` and ``admin``."""
    backend.world.groups[jid] = {
        "id": jid,
        "subject": subject,
        "pictureUrl": None,
        "size": len(participants),
        "creation": 1_700_000_000,
        "owner": next((person["phoneNumber"] for person in participants if person.get("admin")), None),
        "participants": participants,
    }


def set_absent(backend: Backend, number: str, absent: bool = True) -> None:
    """Take a number off WhatsApp, or put it on; what the server cached about it is forgotten."""
    change = backend.world.absent.add if absent else backend.world.absent.discard
    change(number)
    backend.world.checked.discard(f"{number}@s.whatsapp.net")


def phone(backend: Backend) -> list[Delivered]:
    """Return what arrived on people's phones, oldest first."""
    return list(backend.world.delivered)


def requests(backend: Backend) -> list[RequestRecord]:
    """Return the requests that came, oldest first."""
    return list(backend.world.requests)


def webhooks(backend: Backend) -> list[WebhookRecord]:
    """Return the webhooks that were fired, oldest first."""
    return list(backend.world.webhooks)


def pending(backend: Backend) -> int:
    """Return how many webhooks are still under way."""
    return backend.webhooks.pending


def forget(backend: Backend) -> None:
    """Empty the phone and the logs of requests and webhooks."""
    backend.world.delivered.clear()
    backend.world.requests.clear()
    backend.world.webhooks.clear()


def add_fault(backend: Backend, **fault: Any) -> str:
    """Put a fault in force and return its id; see ``faults.Fault``."""
    return backend.faults.add(Fault(**fault))


def clear_faults(backend: Backend, fault_id: str | None = None) -> None:
    """Lift one fault, or all."""
    backend.faults.clear(fault_id)


def fault_hits(backend: Backend, fault_id: str) -> int:
    """Return how often a fault struck."""
    return backend.faults.hits(fault_id)


def outage(backend: Backend, seconds: float) -> None:
    """Stop the server now and start it again on the same port after ``seconds``."""
    backend.run(backend.outage(seconds))
