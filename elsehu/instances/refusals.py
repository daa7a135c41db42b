"""What callers are told when something cannot be done with an instance."""

from uuid import UUID

from elsehu.contracts.errors import Conflict, FieldError, Invalid, NotFound


def not_found(instance_id: UUID) -> NotFound:
    """Return the refusal for an id that no instance has."""
    return NotFound("not_found", f"There is no service instance with the id {instance_id}.")


def name_taken(name: str) -> Conflict:
    """Return the refusal of a second instance of one name."""
    return Conflict(
        "name_taken",
        f"There is an instance called {name!r} already, perhaps an inactive one (?includeInactive=true). "
        "Choose another name.",
    )


def inactive() -> Conflict:
    """Return the refusal to work with an instance that was deactivated."""
    return Conflict("instance_inactive", "This number is not active. Activate it first: POST …/activate.")


def already_connected() -> Conflict:
    """Return the refusal of a QR code for a number that is linked."""
    return Conflict("already_connected", "This number is connected already. Disconnect it to link another phone.")


def no_pairing(provider: str) -> Invalid:
    """Return the refusal of a QR code by a provider that has none."""
    detail = f"The provider {provider} has no QR code: its numbers are connected by their credentials alone."
    return Invalid("unsupported_by_provider", detail)


def bad_phone() -> Invalid:
    """Return the refusal of what is no phone number."""
    message = "is no phone number; write it with its country code, such as +5511999990000"
    return Invalid("invalid_request", "The phone number is not valid.", errors=[FieldError("phone", message)])
