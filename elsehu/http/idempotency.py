"""`Idempotency-Key`: a creating POST that comes again gets the first one's answer, and creates nothing.

The key is claimed in the transaction that creates (`Call.transaction`), so after a crash either both are
there or neither. Parallel requests: the first goes, the others get 409. The answer is added when it is
made; what it says is encrypted, because it may hold a secret. Without the header none of this runs.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from elsehu.contracts.errors import Conflict, FieldError, Invalid
from elsehu.contracts.user import Caller
from elsehu.db import CONNECTION_LOST, Database, UnitOfWork
from elsehu.kernel import Kernel

log = structlog.get_logger("elsehu.http")

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
MAX_LENGTH = 255

FIND = """
SELECT request, answer FROM idempotency_keys WHERE id = $1 AND created_at > now() - interval '24 hours'
"""

LOCK = "SELECT pg_try_advisory_xact_lock($1)"

CLAIM = """
INSERT INTO idempotency_keys (id, request) VALUES ($1, $2)
ON CONFLICT (id) DO UPDATE SET request = excluded.request, answer = NULL, created_at = now()
WHERE idempotency_keys.created_at <= now() - interval '24 hours'
RETURNING true
"""

KEEP = """
INSERT INTO idempotency_keys (id, request, answer) VALUES ($1, $2, $3)
ON CONFLICT (id) DO UPDATE SET request = excluded.request, answer = excluded.answer, created_at = now()
"""

FORGET = "DELETE FROM idempotency_keys WHERE created_at < now() - interval '24 hours'"


@dataclass(slots=True)
class Once:
    """One request that is to be carried out once. `key` names caller, path and header; `body` is a digest."""

    kernel: Kernel
    key: bytes
    body: bytes
    is_claimed: bool = False

    async def claim(self, uow: UnitOfWork) -> None:
        """Make `uow` the transaction in which this request is carried out. Raises Conflict: another's is."""
        if self.is_claimed:
            return
        if not await uow.fetch_value(LOCK, int.from_bytes(self.key[:8], signed=True)):
            raise _in_progress()
        if not await uow.fetch_value(CLAIM, self.key, self.kernel.secrets.encrypt(self.body)):
            raise _in_progress()
        uow.after_commit(self._claimed)

    async def answer(self, run: Callable[[], Awaitable[Response]]) -> Response:
        """Return the first request's answer, or the one of `run`, which then is the first.

        Raises Invalid if the key came with another body, Conflict while the first has no answer yet.
        """
        found = await self.kernel.db.fetch_row(FIND, self.key)
        if found is None:
            answer = await run()
            await self._keep(answer)
            return answer
        if self.kernel.secrets.decrypt(found["request"]) != self.body:
            raise Invalid("idempotency_key_reused", f"This {HEADER} came with another request: make a new one.")
        if found["answer"] is None:
            raise _in_progress()
        return _thaw(self.kernel.secrets.decrypt(found["answer"]))

    async def _claimed(self) -> None:
        self.is_claimed = True

    async def _keep(self, answer: Response) -> None:
        if isinstance(answer, StreamingResponse | FileResponse):
            return
        encrypt = self.kernel.secrets.encrypt
        try:
            await self.kernel.db.execute(KEEP, self.key, encrypt(self.body), encrypt(_freeze(answer)))
        except CONNECTION_LOST as error:  # it is done: the caller gets his answer, a repetition 409
            log.warning("answer_not_kept", error=type(error).__name__)


def once(kernel: Kernel, caller: Caller, request: Request, raw: bytes) -> Once | None:
    """Return how to carry `request` out once, or None if its caller did not ask for that. Raises Invalid."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not 1 <= len(key) <= MAX_LENGTH:
        problem = FieldError(HEADER, f"must have 1 to {MAX_LENGTH} characters")
        raise Invalid("invalid_request", f"The {HEADER} is not valid.", errors=[problem])
    who = caller.user_id or caller.api_key_id
    scope = orjson.dumps([str(who), request.method, request.url.path, key])
    body = hashlib.sha256(request.url.query.encode() + b"\n" + raw)
    return Once(kernel, hashlib.sha256(scope).digest(), body.digest())


async def forget_old(db: Database) -> None:
    """Delete the keys that are older than they are honoured."""
    await db.execute(FORGET)


def _in_progress() -> Conflict:
    return Conflict(
        "idempotency_in_progress",
        f"A request with this {HEADER} is being carried out, or its answer was lost: repeat it shortly, "
        "and if that does not change look whether what it creates is there.",
        retry_after=1,
    )


def _freeze(answer: Response) -> bytes:
    body = bytes(answer.body).decode()
    return orjson.dumps([answer.status_code, answer.media_type, body])


def _thaw(frozen: bytes) -> Response:
    status, media_type, body = orjson.loads(frozen)
    return Response(body, status, headers={REPLAYED: "true"}, media_type=media_type)
