"""Talking to the Graph API in the name of one instance."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from elsehu.plugin import Answer, AnswerLost, HttpClient, Instance, NotSent, PluginContext, Upload

from .config import Config
from .failures import Failure, Json, body_of, error_of, failure_of, maybe_sent, send_error, unreachable
from .receive import secrets_of
from .usage import usage_of

USER_AGENT = "Elsehu"
"""The file host refuses requests of clients without a name (Meta Cloud API reference, section 8)."""
SHORTEST_SECRET = 4
"""What is shorter would be found in every sentence."""


class GraphFailure(Exception):
    """An answer that is no success, not judged yet: some callers know better what a code means for them."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.status} {failure.code}")
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Graph:
    """The Graph API with one instance's access token. Paths are relative to the version: `<id>/messages`."""

    http: HttpClient
    url: str
    config: Config
    log: Callable[..., None]
    instance_id: str
    token: str = field(repr=False)
    secrets: Sequence[str] = field(repr=False)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Json | None = None,
        token: str | None = None,
    ) -> Json:
        """Make a request that may be repeated and return its answer. Raises Retryable, Rejected, InstanceSick."""
        try:
            return await self.try_to_ask(method, path, params=params, body=body, token=token)
        except GraphFailure as error:
            raise error_of(error.failure) from None

    async def try_to_ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Json | None = None,
        token: str | None = None,
    ) -> Json:
        """Do as `ask` does, but raise GraphFailure for every answer that is no success."""
        request = {"params": params, "json": body, "timeout": self.config.request_timeout}
        return self._good(await self._repeatable(method, path, token or self.token, request))

    async def upload(self, path: str, fields: Mapping[str, str], file: Upload) -> Json:
        """Post a form with a file and return the answer. Raises as `ask` does."""
        request = {"data": fields, "files": {"file": file}, "timeout": self.config.upload_timeout}
        try:
            return self._good(await self._repeatable("POST", path, self.token, request))
        except GraphFailure as error:
            raise error_of(error.failure) from None

    async def send(self, path: str, body: Json, attempt: int) -> Json:
        """Post a message and return the answer. Raises also OutcomeUnknown where it may have been taken."""
        request = {"json": body, "timeout": self.config.send_timeout}
        try:
            return self._good(await self._request("POST", path, self.token, request))
        except NotSent as error:
            raise unreachable(error) from None
        except AnswerLost as error:
            raise maybe_sent(f"no answer came ({error})") from None
        except GraphFailure as error:
            raise send_error(error.failure, attempt) from None

    async def _repeatable(self, method: str, path: str, token: str, request: Mapping[str, Any]) -> Answer:
        try:
            return await self._request(method, path, token, request)
        except (NotSent, AnswerLost) as error:
            raise unreachable(error) from None

    async def _request(self, method: str, path: str, token: str, request: Mapping[str, Any]) -> Answer:
        answer = await self.http.request(method, f"{self.url}/{path}", headers=headers_of(token), **request)
        usage = usage_of(answer.headers)
        if usage.is_high:
            self.log("meta_limit_near", instance=self.instance_id, percent=usage.percent)
        return answer

    def _good(self, answer: Answer) -> Json:
        """Return the body of a success. Raises GraphFailure for anything else, once it is logged."""
        if answer.ok:
            return body_of(answer)
        failure = failure_of(answer, self.secrets)
        self.log(
            "meta_refused",
            instance=self.instance_id,
            status=failure.status,
            code=failure.code,
            subcode=failure.subcode,
            fbtrace_id=failure.trace,
            details=failure.words,
        )
        raise GraphFailure(failure)


def graph_of(context: PluginContext, instance: Instance) -> Graph:
    """Return the Graph API as `instance` uses it."""
    settings = instance.settings
    return Graph(
        http=context.http,
        url=f"{str(settings['base_url']).rstrip('/')}/{settings['version']}",
        config=context.config,
        log=context.log,
        instance_id=str(instance.id),
        token=str(instance.credentials["access_token"]),
        secrets=_hidden(instance),
    )


def _hidden(instance: Instance) -> Sequence[str]:
    """Return what nobody may read, the longest first: Meta repeats in a refusal what it was sent."""
    words = [instance.credentials.get(name) for name in ("access_token", "verify_token")]
    known = [*secrets_of(instance), *(word for word in words if isinstance(word, str))]
    return sorted((word for word in known if len(word) >= SHORTEST_SECRET), key=len, reverse=True)


def headers_of(token: str) -> dict[str, str]:
    """Return the headers that prove who asks."""
    return {"authorization": f"Bearer {token}", "user-agent": USER_AGENT}


def number_id(instance: Instance) -> str:
    """Return Meta's id of the instance's number: not the number itself."""
    return str(instance.credentials["phone_number_id"])


def account_id(instance: Instance) -> str:
    """Return the id of the WhatsApp account that the number belongs to."""
    return str(instance.credentials["waba_id"])
