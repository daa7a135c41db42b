"""The media slice alone as a web process."""

from collections.abc import Mapping
from uuid import UUID

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from elsehu.contracts.errors import Unauthenticated
from elsehu.contracts.user import Caller
from elsehu.http.operations import Authenticator, kernel_of, routes_of
from elsehu.http.problems import EXCEPTION_HANDLERS
from elsehu.kernel import Kernel
from elsehu.media.routes import OPERATIONS
from elsehu.media.serving import serve


class Tokens(Authenticator):
    """`Bearer <name>` is the caller of that name."""

    def __init__(self, callers: Mapping[str, Caller]) -> None:
        self._callers = callers

    async def authenticate(self, token: str) -> Caller:
        if token not in self._callers:
            raise Unauthenticated("token_invalid", "Log in again.")
        return self._callers[token]


def media_app(kernel: Kernel, callers: Mapping[str, Caller]) -> Starlette:
    """The media routes, and files by their own id: in Elsehu messaging decides who may see them."""

    async def file(request: Request) -> Response:
        return await serve(kernel_of(request), UUID(request.path_params["id"]), request)

    app = Starlette(
        routes=[*routes_of(OPERATIONS), Route("/files/{id}", file)], exception_handlers=dict(EXCEPTION_HANDLERS)
    )
    app.state.kernel = kernel
    kernel.provide(Authenticator, Tokens(callers))  # type: ignore[type-abstract]
    return app
