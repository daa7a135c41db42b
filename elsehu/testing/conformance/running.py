"""Running the checks, one after the other."""

import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from elsehu.testing.conformance import abilities, entering, failing, leaving, loading, reading, silence
from elsehu.testing.conformance.declaration import ProviderConformance
from elsehu.testing.conformance.listening import heard
from elsehu.testing.conformance.outcome import Check, Failed, Outcome, Result, Skipped
from elsehu.testing.conformance.seeing import told
from elsehu.testing.conformance.trial import Trial
from elsehu.testing.databases import Services

__all__ = ["CHECKS", "Check", "Outcome", "Result", "assert_conforms", "run_checks"]

CHECKS: Sequence[Check] = (
    *loading.CHECKS,
    *abilities.FIRST,
    *entering.CHECKS[:1],
    *reading.CHECKS,
    *leaving.CHECKS,
    *failing.CHECKS,
    *abilities.CHECKS,
    *entering.CHECKS[1:],
    *silence.CHECKS,
    *abilities.LAST,
    *silence.LAST,
)
"""In their order: secrets are looked for when all was said, and what disturbs the number comes last."""

STARTING, DONE = "starting", "done"


async def run_checks(
    name: str,
    declared: ProviderConformance | None,
    services: Services | None,
    folder: Path,
    *,
    only: str = "",
    progress: Callable[[Check, Result | None], None] = lambda *_: None,
) -> list[Result]:
    """Check the plugin `name`; `progress` is told of each check before and after it.

    Args:
        name: the plugin's entry point.
        declared: what its author declared; without, only the checks that need no declaration are run.
        services: PostgreSQL and Valkey, with the template database (`databases.make_template`).
        folder: an empty directory for files.
        only: run the checks with this in their name.
        progress: told of a check that starts (None) and of how it ended.
    """
    trial = Trial(name, declared, services, folder)
    results: list[Result] = []
    chosen = [one for one in CHECKS if only.lower() in one.name]
    with heard(trial.package, trial.spoken, trial.printed):
        try:
            for check in chosen if declared else [one for one in chosen if one.is_static]:
                progress(check, None)
                results.append(await _run(check, trial))
                progress(check, results[-1])
                if check.run is loading.loads and results[-1].outcome is Outcome.FAILED:
                    break
        finally:
            await trial.close()
    return results


async def _run(check: Check, trial: Trial) -> Result:
    try:
        await check.run(trial)
    except Skipped as why:
        return Result(check, Outcome.SKIPPED, str(why))
    except Failed as seen:
        cause = "".join(traceback.format_exception(seen.__cause__)) if seen.__cause__ else ""
        return Result(check, Outcome.FAILED, str(seen), cause)
    except Exception as error:  # noqa: BLE001 - the edge of a check: a stand-in can raise anything
        return Result(check, Outcome.FAILED, told(error), traceback.format_exc())
    return Result(check, Outcome.PASSED)


async def assert_conforms(declared: ProviderConformance, services: Services, folder: Path) -> list[Result]:
    """Run every check, in a test. Raises AssertionError that lists those that failed."""
    results = await run_checks(declared.plugin, declared, services, folder)
    failed = [one for one in results if one.outcome is Outcome.FAILED]
    lines = [f"- {one.check.name}: {one.detail}\n  {one.check.advice}\n{one.trace}" for one in failed]
    if lines:
        raise AssertionError(f"{declared.plugin} does not conform:\n" + "\n".join(lines))
    return results
