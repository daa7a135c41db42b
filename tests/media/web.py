"""The media slice alone as a web process.

`python -m tests.media.web <settings as JSON>` serves it in a process of its own, with a fetcher whose provider
gives each file as one zero a second, and prints its URL.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from uuid import UUID

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from elsehu.contracts.errors import Unauthenticated
from elsehu.contracts.user import Caller, Role
from elsehu.db import UnitOfWork
from elsehu.http.operations import Authenticator, kernel_of, routes_of
from elsehu.http.problems import EXCEPTION_HANDLERS
from elsehu.http.rate_limits import RateLimits
from elsehu.instances.directory import Directory
from elsehu.kernel import Kernel, open_kernel
from elsehu.media.fetcher import Fetcher
from elsehu.media.routes import OPERATIONS
from elsehu.media.serving import serve
from elsehu.plugins import load_plugins
from elsehu.settings import Settings
from elsehu.testing.serving import running_server

from .provider import FileProvider, entries


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
    kernel.provide(RateLimits, RateLimits(kernel.redis, kernel.settings.rate_limits))
    kernel.provide(Authenticator, Tokens(callers))  # type: ignore[type-abstract]
    return app


async def slowly() -> AsyncIterator[bytes]:
    for _ in range(3600):
        yield b"\0"
        await asyncio.sleep(1)


async def nobody_told(uow: UnitOfWork, media_ids: Sequence[UUID]) -> None:
    pass


async def main(settings: Settings) -> None:
    plugins = load_plugins(settings, entries(FileProvider({"slow": slowly})))
    async with open_kernel(settings, plugins) as kernel:
        kernel.provide(Directory, Directory(kernel))
        app = media_app(kernel, {"ana": Caller(Role.OPERATOR, None, "ana")})
        async with running_server(app) as server:
            print(server.url, flush=True)
            await Fetcher(kernel, nobody_told).run()


if __name__ == "__main__":
    asyncio.run(main(Settings(**orjson.loads(sys.argv[1]))))
