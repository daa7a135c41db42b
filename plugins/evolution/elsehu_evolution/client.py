"""Talking to one Evolution server in the name of one instance."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from elsehu.plugin import Answer, AnswerLost, HttpClient, Instance, NotSent, PluginContext, Retryable

from .config import Config, instance_name
from .failures import body_of, maybe_sent, query_failure, send_failure, words_of
from .flavours import Json, mapping


@dataclass(frozen=True, slots=True)
class Server:
    """A server and the key that opens it, for the instance called `name`."""

    http: HttpClient
    url: str
    name: str
    config: Config
    key: str = field(repr=False)

    async def ask(
        self,
        method: str,
        action: str,
        body: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Do `{area}/{action}` for the instance and return the JSON of the answer.

        For requests that may be repeated. Raises Retryable, Rejected or InstanceSick.
        """
        return await self._ask(method, f"/{action}/{quote(self.name, safe='')}", body, params, timeout)

    async def ask_server(
        self, method: str, path: str, body: Any = None, params: Mapping[str, str] | None = None
    ) -> Any:
        """Do a request that names no instance in its path. Raises as `ask` does."""
        return await self._ask(method, path, body, params, None)

    async def send(self, action: str, body: Json) -> Json:
        """Do `message/{action}` and return its answer. Raises also OutcomeUnknown where it may have been sent."""
        path = f"/message/{action}/{quote(self.name, safe='')}"
        try:
            answer = await self._request("POST", path, body, None, self.config.send_timeout)
        except NotSent as error:
            raise _unreachable(error) from None
        except AnswerLost as error:
            raise maybe_sent(f"no answer came ({error})") from None
        if not answer.ok:
            raise send_failure(answer)
        return mapping(body_of(answer))

    async def _ask(
        self, method: str, path: str, body: Any, params: Mapping[str, str] | None, timeout: float | None
    ) -> Any:
        try:
            answer = await self._request(method, path, body, params, timeout or self.config.request_timeout)
        except (NotSent, AnswerLost) as error:
            raise _unreachable(error) from None
        if not answer.ok:
            raise query_failure(answer)
        said = body_of(answer)
        # Failures of connect and restart are 200s with an `error` in them (reference, section 1).
        if mapping(said).get("error") is True:
            raise Retryable("provider_error", f"Evolution failed: {words_of(answer)}. It is asked again.", "200")
        return said

    async def _request(
        self, method: str, path: str, body: Any, params: Mapping[str, str] | None, timeout: float
    ) -> Answer:
        return await self.http.request(
            method, self.url + path, json=body, params=params, headers={"apikey": self.key}, timeout=timeout
        )


def server_of(context: PluginContext, instance: Instance) -> Server:
    """Return the server of `instance`."""
    credentials = instance.credentials
    return Server(
        http=context.http,
        url=str(credentials["server_url"]).rstrip("/"),
        name=instance_name(instance),
        config=context.config,
        key=str(credentials["api_key"]),
    )


def _unreachable(error: Exception) -> Retryable:
    detail = f"Evolution cannot be reached at credentials.serverUrl ({error}). It is tried again."
    return Retryable("provider_unreachable", detail)
