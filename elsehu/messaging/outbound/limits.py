"""What a request to send must hold for its kind, and the provider's limits on it: nothing here looks anything up."""

from collections.abc import Iterator, Sequence

from elsehu.contracts.errors import FieldError, Invalid
from elsehu.contracts.message import MEDIA_KINDS, Kind
from elsehu.contracts.plugin import ProviderSpec
from elsehu.messaging.outbound import interactive_limits
from elsehu.messaging.outbound.contents import ContactCard
from elsehu.messaging.outbound.schemas import SendMessage

CONTENT = {
    Kind.TEXT: "text",
    Kind.LOCATION: "location",
    Kind.CONTACTS: "contacts",
    Kind.REACTION: "reaction",
    Kind.INTERACTIVE: "interactive",
    Kind.TEMPLATE: "template",
}
OF_FILES = ("media_id", "media_url", "caption")


def check(request: SendMessage, spec: ProviderSpec) -> None:
    """Raise Invalid unless the request has what its kind needs, nothing of another kind, and keeps the limits."""
    require_kind(request.kind, spec)
    errors = [*_missing(request), *_foreign(request), *_too_much(request, spec)]
    if request.interactive is not None and request.kind is Kind.INTERACTIVE:
        errors += interactive_limits.check(request.interactive, spec)
    if errors:
        raise Invalid("invalid_request", "The message does not fit its kind; see errors.", errors=errors)


def require_kind(kind: Kind, spec: ProviderSpec) -> None:
    """Raise Invalid where the provider does not send `kind`. Templates it may send as text, so they pass."""
    if kind not in spec.kinds and kind is not Kind.TEMPLATE:
        kinds = ", ".join(sorted(spec.kinds))
        raise Invalid("unsupported_by_provider", f"{spec.name} cannot send {kind}; it sends: {kinds}.")


def _missing(request: SendMessage) -> Iterator[FieldError]:
    if request.kind in MEDIA_KINDS:
        if (request.media_id is None) == (request.media_url is None):
            yield FieldError("mediaId", "give exactly one of mediaId and mediaUrl")
        return
    name = CONTENT.get(request.kind)
    if name is None:
        yield FieldError("kind", "cannot be sent")
        return
    value = getattr(request, name)
    if value is None or (isinstance(value, str) and not value.strip()):
        yield FieldError(name, f"is needed for kind {request.kind}")


def _foreign(request: SendMessage) -> Iterator[FieldError]:
    own = OF_FILES if request.kind in MEDIA_KINDS else (CONTENT.get(request.kind),)
    for name in (*CONTENT.values(), *OF_FILES):
        if name not in own and getattr(request, name) is not None:
            yield FieldError(_camel(name), f"does not belong to kind {request.kind}")


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.title() for part in tail)


def _too_much(request: SendMessage, spec: ProviderSpec) -> Iterator[FieldError]:
    if request.text is not None and len(request.text) > spec.max_text:
        yield FieldError("text", f"may have at most {spec.max_text} characters on {spec.name}")
    if request.caption and request.kind in MEDIA_KINDS:
        yield from _caption(request.caption, request.kind, spec)
    if request.contacts is not None:
        yield from _contacts(request.contacts, spec)


def _caption(caption: str, kind: Kind, spec: ProviderSpec) -> Iterator[FieldError]:
    if kind not in spec.captions:
        can = ", ".join(sorted(spec.captions)) or "no kind"
        yield FieldError("caption", f"cannot go with {kind} on {spec.name}; it goes with: {can}")
    elif len(caption) > spec.max_caption:
        yield FieldError("caption", f"may have at most {spec.max_caption} characters on {spec.name}")


def _contacts(cards: Sequence[ContactCard], spec: ProviderSpec) -> Iterator[FieldError]:
    if len(cards) > spec.max_contacts:
        yield FieldError("contacts", f"may be at most {spec.max_contacts} on {spec.name}; these are {len(cards)}")
    for place, card in enumerate(cards):
        if spec.contacts_need_phone and not card.phones:
            yield FieldError(f"contacts.{place}.phones", f"needs at least one phone on {spec.name}")
