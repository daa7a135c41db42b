"""The bundled servers: private, durable, and always able to start again."""

import asyncio
import os
import pwd
import shutil
import signal
import stat
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis

from elsehu.die_with_parent import Account, bound
from elsehu.embedded import EmbeddedError, embedded_services

Own = Callable[..., Any]
Until = Callable[..., None]
IsAlive = Callable[[int], bool]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="tells what happens when root starts Elsehu")
DISCONNECTED = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


@asynccontextmanager
async def connection(url: str) -> AsyncIterator[Any]:
    connected = await asyncpg.connect(url)
    try:
        yield connected
    finally:
        connected.terminate()


async def fetch(url: str, query: str) -> Any:
    async with connection(url) as connected:
        return await connected.fetchval(query)


async def execute(url: str, statement: str) -> None:
    async with connection(url) as connected:
        await connected.execute(statement)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def servers_account() -> Account:
    if os.geteuid() == 0:
        entry = pwd.getpwnam("nobody")
        return Account(entry.pw_uid, entry.pw_gid)
    return Account(os.geteuid(), os.getegid())


async def test_a_first_start_makes_everything_and_a_second_finds_it(tmp_path: Path) -> None:
    told: list[str] = []
    with embedded_services(tmp_path / "a" / "data", told.append) as services:
        urls = services.database_url, services.redis_url
        await execute(urls[0], "CREATE TABLE kept AS SELECT 'Olá' AS text")
        redis.Redis.from_url(urls[1]).set("kept", "job")
    with embedded_services(tmp_path / "a" / "data", told.append) as services:
        assert (services.database_url, services.redis_url) == urls
        assert await fetch(urls[0], "SELECT text FROM kept") == "Olá"
        assert redis.Redis.from_url(urls[1]).get("kept") == b"job"
    assert told == ["Making the database (once, a few seconds)"]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("server_encoding", "UTF8"),
        ("TimeZone", "UTC"),
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("jit", "off"),
        ("max_connections", "120"),
        ("listen_addresses", ""),
        ("is_superuser", "off"),
    ],
)
async def test_postgresql_is_set_for_keeping_what_it_is_given(running: Any, setting: str, value: str) -> None:
    assert await fetch(running.database_url, f"SELECT current_setting('{setting}')") == value


def test_valkey_is_set_for_keeping_jobs(running: Any) -> None:
    client = redis.Redis.from_url(running.redis_url)
    settings = client.config_get("append*") | client.config_get("maxmemory-policy") | client.config_get("port")
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "everysec"
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["port"] == "0"


async def test_letters_have_upper_and_lower_case(running: Any) -> None:
    assert await fetch(running.database_url, "SELECT lower('ÁÇÃO')") == "áção"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, initialised: Path) -> Any:
    with embedded_services(Path(shutil.copytree(initialised, tmp_path_factory.mktemp("run") / "data"))) as services:
        yield services


async def test_nobody_gets_in_without_the_password(data_dir: Path) -> None:
    with embedded_services(data_dir) as services:
        stranger = services.database_url.replace("elsehu:", "elsehu:x")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(stranger)
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
            await asyncpg.connect(services.database_url.replace("elsehu:", "postgres:"))
        with pytest.raises(redis.AuthenticationError):
            redis.Redis.from_url(services.redis_url.replace("//:", "//:x")).ping()


def test_the_directory_is_private_and_the_way_to_it_stays_as_it_was(data_dir: Path) -> None:
    data_dir.parent.chmod(0o700)
    data_dir.chmod(0o755)
    with embedded_services(data_dir):
        assert mode(data_dir.parent) == 0o700
        assert mode(data_dir) == 0o700
        for room in ("postgres", "valkey", "run", "log"):
            assert mode(data_dir / room) == 0o700
        for file in ("postgres.password", "valkey.password", "valkey/valkey.conf"):
            assert mode(data_dir / file) == 0o600


async def test_committed_rows_survive_the_killing_of_the_owner(data_dir: Path, own: Own) -> None:
    confirmed: list[int] = []
    for life in range(5):
        owner = own(data_dir)
        url, redis_url, pids = owner.says()
        redis.Redis.from_url(redis_url).ping()
        await execute(url, "CREATE TABLE IF NOT EXISTS kept (id int)")
        enough = asyncio.Event()
        writers = [asyncio.create_task(write(url, life * 4 + lane, confirmed, enough)) for lane in range(4)]
        async with asyncio.timeout(10):
            await enough.wait()
        if life % 2:
            os.kill(pids["postgres"], signal.SIGKILL)
        owner.kill()
        await asyncio.gather(*writers)
    owner = own(data_dir)
    async with connection(owner.says()[0]) as connected:
        kept = {row["id"] for row in await connected.fetch("SELECT id FROM kept")}
    assert len(confirmed) >= 500
    assert set(confirmed) <= kept


async def write(url: str, lane: int, confirmed: list[int], enough: asyncio.Event) -> None:
    """Insert row after row until the database goes away; note each that was confirmed."""
    async with connection(url) as connected:
        for number in range(1_000_000):
            try:
                await connected.execute("INSERT INTO kept VALUES ($1)", lane * 1_000_000 + number)
            except DISCONNECTED:
                return
            confirmed.append(lane * 1_000_000 + number)
            if number == 100:
                enough.set()


def test_the_servers_die_with_their_owner(data_dir: Path, own: Own, until: Until, is_alive: IsAlive) -> None:
    owner = own(data_dir)
    _, _, pids = owner.says()
    owner.kill()
    until(lambda: not any(is_alive(pid) for pid in pids.values()))


async def test_a_start_after_everything_was_killed(data_dir: Path, own: Own) -> None:
    owner = own(data_dir)
    url, _, pids = owner.says()
    await execute(url, "CREATE TABLE kept ()")
    for pid in (owner.process.pid, *pids.values()):
        os.kill(pid, signal.SIGKILL)
    owner.process.wait()
    assert await fetch(own(data_dir).says()[0], "SELECT count(*) FROM kept") == 0


async def test_servers_that_outlived_their_owner_are_stopped(data_dir: Path, own: Own, is_alive: IsAlive) -> None:
    owner = own(data_dir, "leaves survivors")
    url, redis_url, pids = owner.says()
    await execute(url, "CREATE TABLE kept ()")
    redis.Redis.from_url(redis_url).set("kept", "job")
    owner.kill()
    assert all(is_alive(pid) for pid in pids.values())
    with embedded_services(data_dir) as services:
        assert not any(is_alive(pid) for pid in pids.values())
        assert await fetch(services.database_url, "SELECT count(*) FROM kept") == 0
        assert redis.Redis.from_url(services.redis_url).get("kept") == b"job"
    assert "database system is shut down" in (data_dir / "log" / "postgres.log").read_text()


async def test_a_busy_backend_without_its_postmaster_is_ended(data_dir: Path, own: Own, is_alive: IsAlive) -> None:
    owner = own(data_dir, "leaves survivors")
    url, _, pids = owner.says()
    async with connection(url) as connected:
        backend = connected.get_server_pid()
        busy = asyncio.create_task(connected.execute("SELECT count(*) FROM generate_series(1, 1e12::bigint)"))
        while await fetch(url, f"SELECT state FROM pg_stat_activity WHERE pid = {backend}") != "active":
            await asyncio.sleep(0)
        os.kill(pids["postgres"], signal.SIGKILL)
        owner.kill()
        assert is_alive(backend)
        with embedded_services(data_dir) as services:
            assert not is_alive(backend)
            assert await fetch(services.database_url, "SELECT 1") == 1
        with pytest.raises(DISCONNECTED):
            await busy


async def test_lock_files_that_name_a_living_stranger_do_not_matter(data_dir: Path) -> None:
    stranger = subprocess.Popen(bound(["sleep", "60"], account=servers_account() if os.geteuid() == 0 else None))
    try:
        (data_dir / "run").mkdir(exist_ok=True)
        for file in ("postgres/postmaster.pid", "run/.s.PGSQL.5432.lock", "lock"):
            (data_dir / file).write_text(f"{stranger.pid}\n{data_dir}/postgres\n1\n5432\n{data_dir}/run\n\n1 1\n")
        with embedded_services(data_dir) as services:
            assert await fetch(services.database_url, "SELECT 1") == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def test_of_two_starts_in_one_directory_one_refuses(data_dir: Path, own: Own) -> None:
    first, second = own(data_dir), own(data_dir)
    answers = {first.process.pid: first.says(), second.process.pid: second.says()}
    refusals = [answer for answer in answers.values() if answer[0] == "data_dir_in_use"]
    [(winner, (url, _, _))] = [(pid, answer) for pid, answer in answers.items() if answer not in refusals]
    [(_, message)] = refusals
    assert f"process {winner}" in message
    assert await fetch(url, "SELECT 1") == 1


async def test_restarts_cut_connections_and_keep_the_urls(data_dir: Path, is_alive: IsAlive) -> None:
    with embedded_services(data_dir) as services:
        urls, pids = (services.database_url, services.redis_url), services.pids
        client = redis.Redis.from_url(urls[1])
        client.set("kept", "job")
        async with connection(urls[0]) as connected:
            await asyncio.to_thread(services.restart_postgres)
            await asyncio.to_thread(services.restart_valkey)
            with pytest.raises(DISCONNECTED):
                await connected.fetchval("SELECT 1")
        assert await fetch(urls[0], "SELECT 1") == 1
        assert client.get("kept") == b"job"
        assert (services.database_url, services.redis_url) == urls
        assert not any(is_alive(pid) for pid in pids.values())


@pytest.mark.parametrize("server", ["postgres", "valkey"])
async def test_a_server_that_is_killed_comes_back(data_dir: Path, server: str, until: Until, is_alive: IsAlive) -> None:
    with embedded_services(data_dir) as services:
        killed = services.pids[server]
        os.kill(killed, signal.SIGKILL)
        until(lambda: services.pids.get(server) not in (None, killed), 5)
        services.restart_valkey()
        assert await fetch(services.database_url, "SELECT 1") == 1
        assert redis.Redis.from_url(services.redis_url).ping()


@pytest.mark.parametrize("name", ["long" * 40, "a, b: ü & +"])
async def test_any_path_will_do(initialised: Path, tmp_path: Path, name: str) -> None:
    data_dir = Path(shutil.copytree(initialised, tmp_path / name))
    with embedded_services(data_dir) as services:
        urls = services.database_url, services.redis_url
        assert await fetch(urls[0], "SELECT 1") == 1
        assert redis.Redis.from_url(urls[1]).ping()
    elsewhere = Path((data_dir / "socket_directory").read_text())
    assert mode(elsewhere) == 0o700
    elsewhere.rmdir()  # as a cleaner of temporary files does
    with embedded_services(data_dir) as services:
        assert (services.database_url, services.redis_url) == urls
    elsewhere.chmod(0o777)  # no longer private: not used again
    with embedded_services(data_dir) as services:
        assert str(elsewhere) not in services.database_url
        assert await fetch(services.database_url, "SELECT 1") == 1
    elsewhere.rmdir()
    Path((data_dir / "socket_directory").read_text()).rmdir()


async def test_a_relative_path_is_taken_from_the_working_directory(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data_dir.parent)
    with embedded_services(Path("data")) as services:
        assert await fetch(services.database_url, "SELECT 1") == 1


@needs_root
async def test_an_ordinary_user_runs_it_as_himself(tmp_path: Path, own: Own) -> None:
    nobody = servers_account()
    home = tmp_path / "home"
    home.mkdir(0o700)
    os.chown(home, nobody.uid, nobody.gid)
    owner = own(home / "data", account=nobody)
    url, redis_url, pids = owner.says()
    assert {Path(f"/proc/{pid}").stat().st_uid for pid in pids.values()} == {nobody.uid}
    assert (home / "data" / "postgres.password").stat().st_uid == nobody.uid
    assert await fetch(url, "SELECT 1") == 1
    assert redis.Redis.from_url(redis_url).ping()


@needs_root
def test_root_gives_the_servers_to_somebody_without_power(data_dir: Path) -> None:
    with embedded_services(data_dir) as services:
        for pid in services.pids.values():
            assert Path(f"/proc/{pid}").stat().st_uid == servers_account().uid
            status = Path(f"/proc/{pid}/status").read_text()
            assert f"CapEff:\t{1 << 2:016x}" in status  # CAP_DAC_READ_SEARCH and nothing else
    assert data_dir.stat().st_uid == 0


@needs_root
def test_the_directory_of_another_user_is_refused(data_dir: Path) -> None:
    os.chown(data_dir, servers_account().uid, -1)
    with pytest.raises(EmbeddedError, match="belongs to user nobody") as refusal, embedded_services(data_dir):
        pass
    assert refusal.value.code == "data_dir_not_yours"


def test_a_path_that_cannot_be_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError) as refusal, embedded_services(tmp_path / "file" / "data"):
        pass
    assert refusal.value.code == "data_dir_unusable"


def test_the_data_of_another_major_version_is_refused(data_dir: Path) -> None:
    (data_dir / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedError, match="made by PostgreSQL 17") as refusal, embedded_services(data_dir):
        pass
    assert refusal.value.code == "postgres_version"
    assert "the bundled one is 18" in str(refusal.value)
    assert "pg_dump" in str(refusal.value)


@pytest.mark.parametrize(
    ("file", "code", "words"),
    [
        ("postgres/custom.conf", "postgres_failed", "unrecognized configuration parameter"),
        ("valkey/appendonlydir/appendonly.aof.manifest", "valkey_failed", "AOF"),
    ],
)
def test_a_server_that_cannot_start_says_why(data_dir: Path, file: str, code: str, words: str) -> None:
    (data_dir / file).write_text("nonsense = 1\n")
    with pytest.raises(EmbeddedError, match=words) as refusal, embedded_services(data_dir):
        pass
    assert refusal.value.code == code
    (data_dir / file).unlink()
    with embedded_services(data_dir) as services:
        assert set(services.pids) == {"postgres", "valkey"}


async def test_an_admin_may_set_parameters_of_his_own(data_dir: Path) -> None:
    (data_dir / "postgres" / "custom.conf").write_text("work_mem = '9MB'\n")
    with embedded_services(data_dir) as services:
        assert await fetch(services.database_url, "SHOW work_mem") == "9MB"


async def test_a_lost_password_is_replaced(data_dir: Path) -> None:
    (data_dir / "postgres.password").unlink()
    (data_dir / "valkey.password").unlink()
    with embedded_services(data_dir) as services:
        password = (data_dir / "postgres.password").read_text()
        assert await fetch(services.database_url, "SELECT 1") == 1
        assert redis.Redis.from_url(services.redis_url).ping()
    assert password not in (data_dir / "log" / "postgres.log").read_text()


async def test_a_first_start_that_was_killed_is_begun_anew(tmp_path: Path, own: Own, until: Until) -> None:
    owner = own(tmp_path / "data")
    until((tmp_path / "data" / "postgres.new" / "PG_VERSION").exists)
    owner.kill()
    with embedded_services(tmp_path / "data") as services:
        assert await fetch(services.database_url, "SELECT 1") == 1
    assert not (tmp_path / "data" / "postgres.new").exists()


def test_logs_do_not_grow_for_ever(data_dir: Path, until: Until, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elsehu.embedded.server.LARGEST_LOG_BYTES", 1000)
    log = data_dir / "log" / "postgres.log"
    log.write_text("old line\n" * 1000)
    with embedded_services(data_dir):
        until(lambda: log.stat().st_size < 1000)
        assert "old line" in (data_dir / "log" / "postgres.log.1").read_text()
