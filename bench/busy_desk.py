"""Fills a database with a year of a busy desk, in SQL alone: contacts, conversations and messages by the million.

    python -m bench.busy_desk postgresql://… --conversations 100000 --messages-each 10

Names, tags, numbers, operators and tabulations are spread unevenly on purpose: some filters of the conversation
list match a third of everything, some almost nothing. Ids are made from numbers, so every run makes the same rows.
"""

import argparse
import asyncio
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from elsehu.secretbox import SecretBox

FIRST = [
    "Maria",
    "José",
    "Ana",
    "João",
    "Antônio",
    "Francisca",
    "Lúcia",
    "Paulo",
    "Márcia",
    "Luís",
    "Conceição",
    "Íris",
]
LAST = ["Silva", "Santos", "Oliveira", "Souza", "Lima", "Araújo", "Gonçalves", "Ribeiro", "Fernández", "Müller", "Zé"]
TABULATIONS = ["Resolved", "Sold", "No answer", "Complaint", "Wrong number", "Spam", "Refund", "Never used"]
TAGS = ["vip", "new", "billing", "support", "late", "french", "recall", "rare"]


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is to be. A twentieth of the conversations is open, two fifths of these in the queue."""

    conversations: int = 100_000
    messages_each: int = 10
    contacts_share: float = 0.6
    operators: int = 50
    numbers: int = 5

    @property
    def contacts(self) -> int:
        """How many contacts there are."""
        return max(1, int(self.conversations * self.contacts_share))


def user_id(number: int) -> UUID:
    """Return the id of an operator, from 1 on."""
    return _id(1, number)


def instance_id(number: int) -> UUID:
    """Return the id of a service instance, from 1 on: the first have the most, the last next to nothing."""
    return _id(2, number)


def tabulation_id(number: int) -> UUID:
    """Return the id of a tabulation, from 1 on."""
    return _id(3, number)


def _id(kind: int, number: int) -> UUID:
    return UUID(f"0190000{kind}-0000-7000-8000-{number:012x}")


FUNCTIONS = """
CREATE FUNCTION pg_temp.id(kind int, number bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT ('0190000' || kind || '-0000-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid
$$;
CREATE FUNCTION pg_temp.spread(number bigint, most bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT 1 + (hashint8(number) & 2147483647) % most
$$;
"""
USERS = """
INSERT INTO users (id, name, email, password_hash, role)
SELECT pg_temp.id(1, n), 'Operator ' || n, 'operator' || n || '@example.com', '', 'OPERATOR'
FROM generate_series(1, $1::bigint) n
"""
INSTANCES = """
INSERT INTO service_instances (id, name, provider, is_active, status, credentials, state, webhook_secret, settings)
SELECT pg_temp.id(2, n), 'Number ' || n, 'sandbox', false, 'disconnected', $2, $2, $3, '{}'
FROM generate_series(1, $1::bigint) n
"""
INSERT_TABULATIONS = """
INSERT INTO tabulations (id, name, "group", position, required_fields)
SELECT pg_temp.id(3, n), name, '', n, '[]' FROM unnest($1::text[]) WITH ORDINALITY AS t(name, n)
"""
CONTACTS = """
INSERT INTO contacts (id, name, profile_name, phone, tags, custom, search_text, created_at)
SELECT id, name, '', phone, '{}', '{}',
       translate(lower(name), 'áàâãéêíóôõúüç', 'aaaaeeiooouuc') || ' ' || phone, at
FROM (
    SELECT pg_temp.id(4, n) AS id, '55119' || lpad((n * 7919 % 100000000)::text, 8, '0') AS phone,
           ($2::text[])[pg_temp.spread(n, cardinality($2::text[]))] || ' '
               || ($3::text[])[pg_temp.spread(n * 7, cardinality($3::text[]))] || ' ' || n AS name,
           now() - interval '365 days' * (1 - n::float8 / $1::bigint) AS at
    FROM generate_series(1, $1::bigint) n
) one
"""
IDENTITIES = """
INSERT INTO contact_identities (id, contact_id, kind, value, scope, address)
SELECT gen_random_uuid(), id, 'phone', phone, '', phone FROM contacts
"""
CONVERSATIONS = """
WITH size AS (
    SELECT $1::bigint AS conversations, $2::bigint AS contacts, $3::int AS messages_each, $4::bigint AS numbers,
           $5::bigint AS operators, $6::text[] AS tabulations, $7::varchar[] AS tags
), basis AS (
    SELECT n, size.*, n > conversations * 0.95 AS is_open, interval '3 minutes' * messages_each AS last,
           CASE WHEN n <= conversations * 0.95 THEN 'closed'
                WHEN n % 5 IN (1, 3) THEN 'queued' ELSE 'assigned' END AS status,
           now() - interval '1 hour' - interval '365 days' * (1 - n::float8 / conversations) AS at
    FROM size, generate_series(1, conversations) n
), shaped AS (
    SELECT n, contacts, messages_each, numbers, tabulations, is_open, last, status, at,
           CASE WHEN status = 'assigned' OR (status = 'closed' AND n % 50 <> 1)
                THEN pg_temp.id(1, pg_temp.spread(n * 11, operators)) END AS owner,
           CASE WHEN status = 'closed' THEN at + last + interval '5 minutes' END AS closed_at,
           CASE WHEN n % 2000 = 0 THEN ARRAY['rare']::varchar[]
                WHEN n % 10 = 0 THEN ARRAY[basis.tags[1 + (n / 10) % (cardinality(basis.tags) - 1)]]
                ELSE '{}' END AS tags,
           CASE WHEN n % 5000 = 1 THEN cardinality(tabulations) - 1 ELSE pg_temp.spread(n * 13, 5) END AS tabulation
    FROM basis
)
INSERT INTO conversations (id, contact_id, instance_id, status, assigned_to, opened_at, assigned_at, first_reply_at,
    last_activity_at, last_message_at, last_message_kind, last_message_preview, last_message_direction,
    last_inbound_at, unread_count, tags, closed_at, tabulation_id, tabulation_name)
SELECT pg_temp.id(5, n),
       pg_temp.id(4, CASE WHEN is_open THEN 1 + n % contacts ELSE pg_temp.spread(n * 3, contacts) END),
       pg_temp.id(2, CASE WHEN n % 1000 = 0 THEN numbers ELSE least(1 + (n % 7) / 3, greatest(numbers - 1, 1)) END),
       status, owner, at, CASE WHEN owner IS NOT NULL THEN at + interval '1 minute' END,
       CASE WHEN owner IS NOT NULL THEN at + interval '3 minutes' END,
       at + last, at + last, 'text', 'message ' || messages_each || ' of conversation ' || n,
       CASE WHEN messages_each % 2 = 0 THEN 'OUTBOUND' ELSE 'INBOUND' END, at + last,
       CASE WHEN status = 'queued' THEN 1 + n % 5 ELSE 0 END, tags, closed_at,
       CASE WHEN closed_at IS NOT NULL THEN pg_temp.id(3, tabulation) END,
       CASE WHEN closed_at IS NOT NULL THEN tabulations[tabulation] END
FROM shaped
"""
MESSAGES = """
INSERT INTO messages (id, conversation_id, instance_id, direction, kind, text, status, status_rank, external_id,
    sender_id, at, created_at, sent_at, delivered_at, lane, attempts)
SELECT pg_temp.id(6, v.number * $1::int + k), v.id, v.instance_id,
       CASE WHEN ours THEN 'OUTBOUND' ELSE 'INBOUND' END, 'text', 'message ' || k || ' of conversation ' || v.number,
       CASE WHEN ours THEN 'delivered' ELSE 'received' END, 5, 'SEED-' || v.number || '-' || k,
       CASE WHEN ours THEN v.assigned_to END, at, at, CASE WHEN ours THEN at END, CASE WHEN ours THEN at END, 0, 0
FROM (SELECT row_number() OVER (ORDER BY id) AS number, * FROM conversations) v, generate_series(1, $1::int) k,
     LATERAL (SELECT k % 2 = 0 AS ours, v.opened_at + interval '3 minutes' * k AS at) one
ORDER BY v.number, k
"""


async def fill(connection: asyncpg.Connection, box: SecretBox, size: Size) -> None:
    """Fill an empty, migrated database. `box` seals the numbers' credentials, so that Elsehu can read them.

    A superuser's right to skip foreign keys makes it quicker; without it this works too.
    """
    async with connection.transaction():
        if await connection.fetchval("SELECT usesuper FROM pg_user WHERE usename = current_user"):
            await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(FUNCTIONS)
        await connection.execute(USERS, size.operators)
        await connection.execute(INSTANCES, size.numbers, box.encrypt(b"{}"), box.encrypt(b"secret"))
        await connection.execute(INSERT_TABULATIONS, TABULATIONS)
        await connection.execute(CONTACTS, size.contacts, FIRST, LAST)
        await connection.execute(IDENTITIES)
        shape = (size.conversations, size.contacts, size.messages_each, size.numbers, size.operators)
        await connection.execute(CONVERSATIONS, *shape, TABULATIONS, TAGS)
        await connection.execute(MESSAGES, size.messages_each)
    await connection.execute("VACUUM (ANALYZE)")


async def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.busy_desk", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url", help="of a migrated database without conversations")
    parser.add_argument("--conversations", type=int, default=Size().conversations)
    parser.add_argument("--messages-each", type=int, default=Size().messages_each)
    parser.add_argument("--secret-key", default="a secret key for measurements only")
    options = parser.parse_args()
    connection = await asyncpg.connect(options.url)
    try:
        size = Size(conversations=options.conversations, messages_each=options.messages_each)
        await fill(connection, SecretBox((options.secret_key,)), size)
    finally:
        await connection.close()


if __name__ == "__main__":
    asyncio.run(_main())
