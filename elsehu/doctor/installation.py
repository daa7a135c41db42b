"""What stands in the rows and runs beside them: secrets, numbers, storage, workers, jobs, our own URL."""

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit
from uuid import UUID

from redis import Redis
from redis.exceptions import RedisError

from elsehu.contracts.errors import ElsehuError, ProviderError
from elsehu.contracts.http import AnswerLost, NotSent
from elsehu.contracts.instance import Instance, InstanceStatus
from elsehu.doctor.findings import Finding, broken, ok, warning
from elsehu.instances.asking import ask
from elsehu.instances.directory import Directory
from elsehu.jobs.runs import last_runs, troubles
from elsehu.kernel import Kernel
from elsehu.known_jobs import jobs_of
from elsehu.media.checking import check_storage
from elsehu.secretbox import WrongSecretKey

ASK_SECONDS = 10.0
LOCAL = frozenset({"127.0.0.1", "localhost", "::1", "0.0.0.0"})  # noqa: S104 - names that nobody else reaches
NOBODYS = "elsehu-doctor"
"""A provider that there is not."""
ACTIVE = "SELECT id, name, provider FROM service_instances WHERE is_active ORDER BY name"
HINTS = {
    InstanceStatus.DISCONNECTED: "Scan the QR code again (GET …/qrcode), or check the provider's server.",
    InstanceStatus.BLOCKED: "Give it new credentials (PATCH /api/service-instances/{id}).",
}


async def check_installation(kernel: Kernel) -> Sequence[Finding]:
    """Try everything that needs an open kernel."""
    kernel.provide(Directory, Directory(kernel))
    findings = [await check_own_storage(kernel), await check_own_url(kernel), await check_webhook_url(kernel)]
    findings += await check_numbers(kernel)
    findings += await asyncio.to_thread(check_workers, kernel)
    return [*findings, await check_tasks(kernel)]


async def check_numbers(kernel: Kernel) -> Sequence[Finding]:
    """Decrypt the credentials of every active number, and ask its provider how it stands."""
    rows = await kernel.db.fetch(ACTIVE)
    unreadable = [row["name"] for row in rows if not await _is_readable(kernel, row["id"])]
    if unreadable:
        names = ", ".join(unreadable)
        detail = f"the credentials of {len(unreadable)} numbers cannot be read with the configured key: {names}"
        fix = (
            "Put the key that they were saved with back into ELSEHU_SECRET_KEY (several: new,old), or PATCH them anew."
        )
        secret = broken("secret key", detail, fix)
    else:
        secret = ok("secret key", f"reads the credentials of {len(rows)} active numbers")
    readable = [row["id"] for row in rows if row["name"] not in unreadable]
    return [secret, *await asyncio.gather(*(_check_number(kernel, one) for one in readable))]


async def _is_readable(kernel: Kernel, instance_id: UUID) -> bool:
    try:
        await kernel.part(Directory).get(instance_id)
    except WrongSecretKey:
        return False
    return True


async def _check_number(kernel: Kernel, instance_id: UUID) -> Finding:
    instance = await kernel.part(Directory).get(instance_id)
    assert instance is not None
    subject = f"number {instance.name}"
    try:
        report = await ask(kernel, instance, kernel.plugins.status)
    except ProviderError as error:
        fix = f"Check the server and the credentials of this number at {instance.provider}."
        return broken(subject, f"{instance.provider} does not answer for it: {error.detail}", fix)
    return _standing(subject, instance, report.status, report.detail)


def _standing(subject: str, instance: Instance, status: InstanceStatus, detail: str) -> Finding:
    told = f"{instance.provider} says {status}{f': {detail}' if detail else ''}"
    if status is InstanceStatus.CONNECTED:
        return ok(subject, told)
    hint = HINTS.get(status, "Wait, or connect it again (POST …/connect).").replace("{id}", str(instance.id))
    return warning(subject, told, hint)


async def check_own_storage(kernel: Kernel) -> Finding:
    """Store, read and delete a small file."""
    name = kernel.plugins.storage_name
    try:
        await check_storage(kernel, name)
    except ElsehuError as error:
        return broken("storage", f"{name}: {error.detail}", f"Check [plugins.{name}] in elsehu.toml, and its room.")
    return ok("storage", f"{name} stores, reads and deletes")


async def check_own_url(kernel: Kernel) -> Finding:
    """Reach ourselves under the URL that providers are told."""
    url = kernel.settings.base_url
    try:
        answer = await kernel.http.request("GET", f"{url}/health", timeout=ASK_SECONDS)
    except (NotSent, AnswerLost) as error:
        fix = "Start `elsehu serve` (or `web`), and let ELSEHU_PUBLIC_URL, DNS and the proxy lead there."
        return broken("public URL", f"{url} cannot be reached from here: {error}", fix)
    if not answer.ok or b'"status"' not in answer.body:
        fix = "Let the proxy pass every path to Elsehu: /api, /ws and /health."
        return broken("public URL", f"{url}/health answers {answer.status}, and not as Elsehu does", fix)
    if urlsplit(url).hostname in LOCAL:
        fix = "Set ELSEHU_PUBLIC_URL to the https address under which providers reach you. The sandbox needs none."
        return warning("public URL", f"{url} answers, but only on this machine", fix)
    return ok("public URL", f"{url} answers")


async def check_webhook_url(kernel: Kernel) -> Finding:
    """See that what providers send would come through to us: nobody's webhook is refused by Elsehu, not by a proxy."""
    url = f"{kernel.settings.base_url}/api/webhooks/{NOBODYS}"
    try:
        answer = await kernel.http.request("POST", url, json={}, timeout=ASK_SECONDS)
    except (NotSent, AnswerLost) as error:
        return broken("webhook URL", f"{url} cannot be reached from here: {error}", "As for the public URL, above.")
    if b"provider_not_found" not in answer.body:
        fix = "Let the proxy pass POST /api/webhooks/ to Elsehu without asking for a login, and bodies up to 140 MB."
        return broken("webhook URL", f"{url} answers {answer.status}, and not as Elsehu does", fix)
    return ok("webhook URL", f"{kernel.settings.base_url}/api/webhooks/… comes through to Elsehu")


def check_workers(kernel: Kernel) -> Sequence[Finding]:
    """Count the workers, and the jobs that wait for one."""
    from rq import Queue, Worker

    from elsehu.jobs import QUEUES

    assert kernel.settings.redis_url is not None
    try:
        with Redis.from_url(kernel.settings.redis_url.get_secret_value()) as redis:
            workers = len(Worker.all(connection=redis))
            waiting = sum(Queue(name, connection=redis).count for name in QUEUES)
    except (RedisError, OSError) as error:
        return [broken("workers", f"cannot be counted ({type(error).__name__})", "Start Redis; see above.")]
    detail = f"{workers} run; {waiting} jobs wait"
    if not workers:
        return [broken("workers", detail, "Start `elsehu worker` (`elsehu serve` does).")]
    return [ok("workers", detail)]


async def check_tasks(kernel: Kernel) -> Finding:
    """Look how the periodic jobs ran last."""
    crons = {name: job.cron for name, job in jobs_of(kernel.plugins).items() if job.cron}
    found = troubles(crons, await last_runs(kernel.db), kernel.now())
    if found:
        return broken("periodic jobs", "; ".join(found), "See `elsehu tasks` and the worker's log.")
    return ok("periodic jobs", f"{len(crons)} known, none failed last or is late")
