"""Webhooks to whoever is to hear them: signed over the raw bytes, repeated until they are answered with 200.

Meta Cloud API reference, sections 11 (which address) and 12 (signature, delivery, envelope).
"""

import asyncio
import hashlib
import hmac
import json
import time
from typing import Any
from uuid import uuid4

import httpx

from .options import Options
from .world import Account, Number, WebhookRecord, World

TO_THE_NUMBER = ("messages", "message_echoes", "smb_message_echoes", "history", "smb_app_state_sync")
PATIENCE = 10.0


class Webhooks:
    """Delivers webhooks, each in a task of its own."""

    def __init__(self, world: World, options: Options) -> None:
        self.world = world
        self._options = options
        self._client = httpx.AsyncClient(timeout=PATIENCE, trust_env=False)
        self._under_way: set[asyncio.Task[None]] = set()

    def number_value(self, number: Number, **content: Any) -> dict[str, Any]:
        """Return the ``value`` of a change about a number."""
        metadata = {"display_phone_number": number.phone, "phone_number_id": number.id}
        return {"messaging_product": "whatsapp", "metadata": metadata, **content}

    def fire(self, waba_id: str, field: str, value: Any, number: Number | None = None) -> "asyncio.Task[None] | None":
        """Start delivering one change; None where the account is not subscribed or no address is known."""
        entry: dict[str, Any] = {"id": waba_id, "changes": [{"value": value, "field": field}]}
        if number is None:
            entry["time"] = int(time.time())
        return self.post(waba_id, field, {"object": "whatsapp_business_account", "entry": [entry]}, number)

    def post(self, waba_id: str, field: str, body: Any, number: Number | None) -> "asyncio.Task[None] | None":
        """Start delivering a whole body."""
        account = self.world.accounts[waba_id]
        url = self._address(account, number if field in TO_THE_NUMBER else None)
        if url is None or self.world.app.id not in account.subscribed:
            return None
        record = WebhookRecord(field, url, body)
        self.world.webhooks.append(record)
        task = asyncio.create_task(self._deliver(record))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def verify(self, url: str, verify_token: str) -> int:
        """Ask an address whether it is the one; return 200 if it answers the challenge, else what it answers."""
        challenge = uuid4().hex
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": verify_token}
        try:
            answer = await self._client.get(url, params=query)
        except httpx.HTTPError:
            return 0
        is_right = answer.status_code == 200 and answer.text == challenge
        return 200 if is_right else (answer.status_code if answer.status_code != 200 else 0)

    async def close(self) -> None:
        """Stop delivering."""
        for task in self._under_way:
            task.cancel()
        await self._client.aclose()

    def _address(self, account: Account, number: Number | None) -> str | None:
        own = (number.callback or account.callback) if number else None
        return own or self.world.app.callback

    async def _deliver(self, record: WebhookRecord) -> None:
        body = meta_json(record.body)
        for attempt in range(self._options.most_tries):
            record.answers.append(await self._post(record.url, body))
            if record.answers[-1] == 200:
                record.is_done = True
                return
            await asyncio.sleep(self._options.retry_base * 2**attempt)

    async def _post(self, url: str, body: bytes) -> int:
        headers = {"content-type": "application/json", "x-hub-signature-256": sign(self.world.app.secret, body)}
        try:
            answer = await self._client.post(url, content=body, headers=headers)
        except httpx.HTTPError:
            return 0
        return answer.status_code


def sign(secret: str, body: bytes) -> str:
    """Return the signature header of a body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def meta_json(value: Any) -> bytes:
    """Return JSON as Meta writes it: everything beyond ASCII escaped, and slashes too."""

    return json.dumps(value, separators=(",", ":")).replace("/", "\\/").encode()
