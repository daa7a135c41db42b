"""Where a measurement happens: bundled services in a folder, and Elsehu's web process on a database of its own."""

import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from bench import processes
from bench.busy_desk import Size, fill
from elsehu.contracts.user import Role
from elsehu.embedded import EmbeddedServices, embedded_services
from elsehu.identity import sessions, users
from elsehu.identity.audit import Origin
from elsehu.identity.authentication import provide_identity
from elsehu.identity.tokens import Tokens
from elsehu.ids import new_token
from elsehu.kernel import Kernel, open_kernel
from elsehu.plugins import load_plugins
from elsehu.settings import Settings
from elsehu.testing import databases

SECRET_KEY = "a secret key for measurements only"
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients that speak no TLS: making their own would cost each 20 ms of CPU."""

NOWHERE = Origin(address="127.0.0.1", request_id="")


@dataclass(frozen=True, slots=True)
class Place:
    """Running services, with a migrated template, and a folder for everything that is written."""

    folder: Path
    services: EmbeddedServices

    async def new_database(self) -> str:
        """Return the URL of a fresh, migrated database."""
        return await databases.clone_template(self.services.database_url)

    def settings(self, database_url: str) -> Settings:
        """Return settings for our own look into an installation on `database_url`."""
        values: dict[str, Any] = {
            "database_url": database_url,
            "redis_url": self.services.redis_url,
            "secret_key": SECRET_KEY,
            "data_dir": self.folder / "var",
            "security": {"argon2_memory_kib": 1024, "argon2_time": 1},
        }
        return Settings(**values)


@contextmanager
def opened_place() -> Iterator[Place]:
    """Run PostgreSQL and Valkey in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="elsehu-bench-") as name:
        folder = Path(name)
        with embedded_services(folder / "services") as services:
            databases.make_template(services.database_url)
            yield Place(folder, services)


@dataclass(frozen=True, slots=True)
class Web:
    """An `elsehu web`, and a kernel of our own on the same database."""

    port: int
    pid: int
    kernel: Kernel
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a request by an ADMIN."""
        return {"authorization": f"Bearer {self.token}", "content-type": "application/json"}

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Do a request as the ADMIN and return its JSON."""
        url = f"http://127.0.0.1:{self.port}"
        async with httpx.AsyncClient(base_url=url, headers=self.headers, verify=PLAIN) as http:
            answer = await http.request(method, path, json=body, timeout=60)
            return answer.raise_for_status().json()


@asynccontextmanager
async def running_web(place: Place, database_url: str, **environment: str) -> AsyncIterator[Web]:
    """Run one `elsehu web` with its defaults (but for `environment`), and make an ADMIN."""
    port = processes.free_port()
    own = {
        "DATABASE_URL": database_url,
        "REDIS_URL": place.services.redis_url,
        "ELSEHU_SECRET_KEY": SECRET_KEY,
        "ELSEHU_DATA_DIR": str(place.folder / "var"),
        "ELSEHU_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "ELSEHU_SERVER__PORT": str(port),
        "ELSEHU_SECURITY__ACCESS_TOKEN_SECONDS": "86400",
        **environment,
    }
    settings = place.settings(database_url)
    async with (
        processes.running(["-m", "elsehu", "web"], place.folder, own, log=f"web-{port}.log") as process,
        open_kernel(settings, load_plugins(settings)) as kernel,
    ):
        provide_identity(kernel)
        await processes.answers(process, port)
        yield Web(port, process.pid, kernel, await token_of_new_user(kernel, "ADMIN"))


async def filled(web: Web, database_url: str, size: Size) -> None:
    """Fill a web process's database."""
    connection = await asyncpg.connect(database_url)
    await fill(connection, web.kernel.secrets, size)
    await connection.close()


async def token_of_new_user(kernel: Kernel, role: str) -> str:
    """Make a user with a session, and return an access token for it."""
    email = f"{new_token(8).strip('-_').lower()}@example.com"
    async with kernel.db.transaction() as uow:
        user = await users.create(
            uow, kernel.settings, name=f"{role} {email[:6]}", email=email, password=new_token(12), role=role
        )
        session = await sessions.start(uow, kernel, user, NOWHERE, "bench")
    assert session is not None
    user_id: UUID = user["id"]
    return Tokens(kernel.settings.secret_keys, 86400).issue(user_id, session.id, Role(role))
