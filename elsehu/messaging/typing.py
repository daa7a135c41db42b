"""Who is typing: told to those who look, never stored."""

from uuid import UUID

from elsehu.contracts.inbound import CustomerTyping
from elsehu.kernel import Kernel

CHANNEL = "elsehu.typing"
OPEN_CONVERSATION = """
SELECT c.id FROM unnest($1::text[], $2::text[], $3::text[]) AS k(kind, value, scope)
JOIN contact_identities i ON i.kind = k.kind AND i.value = k.value AND i.scope = k.scope
JOIN conversations c ON c.contact_id = i.contact_id AND c.instance_id = $4 AND c.status <> 'closed'
LIMIT 1
"""


async def tell_typing(kernel: Kernel, instance_id: UUID, event: CustomerTyping) -> None:
    """Tell who looks at the customer's open conversation that they type (or have stopped)."""
    kinds = [one.kind for one in event.sender]
    values = [one.value for one in event.sender]
    scopes = [one.scope for one in event.sender]
    conversation_id = await kernel.db.fetch_value(OPEN_CONVERSATION, kinds, values, scopes, instance_id)
    if conversation_id is not None:
        data = {"conversationId": str(conversation_id), "state": event.state, "from": "customer"}
        await kernel.bus.publish(CHANNEL, data)
