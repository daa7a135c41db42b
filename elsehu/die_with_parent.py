"""Runs a command that cannot outlive the process that started it, optionally under another account.

The command is started through this file as a script: it asks the kernel for a signal at the parent's death
(Linux, prctl(2) PR_SET_PDEATHSIG; elsewhere nothing is asked) and then becomes the command, keeping its
process id. The kernel means the parent's *thread*: start the command from one that lives as long as it shall.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
LINUX_CAPABILITY_VERSION_3 = 0x20080522
# The exit code of a program that cannot start as it is configured, as shells and getopt-style tools use it.
CANNOT_START = 2


@dataclass(frozen=True, slots=True)
class Account:
    """An operating-system account to run a command under."""

    uid: int
    gid: int


def bound(
    argv: Sequence[str], at_parent_death: signal.Signals = signal.SIGKILL, account: Account | None = None
) -> list[str]:
    """Return the command line that runs `argv` bound to the life of the calling process.

    Args:
        argv: the command; its first word is looked up in PATH.
        at_parent_death: the signal that the command gets when its parent is gone.
        account: given up to by root. The command keeps one capability, to pass and read where the account
            may not, because an installation under `/root` or in a private home must work too.
    """
    who = f"{account.uid}:{account.gid}" if account else "-"
    return [sys.executable, "-I", "-S", __file__, str(int(at_parent_death)), str(os.getpid()), who, *argv]


def follow_parent(at_parent_death: signal.Signals) -> None:
    """Have this process, forked by the one to follow, get a signal at its parent's death (Linux)."""
    if sys.platform == "linux":
        _prctl(PR_SET_PDEATHSIG, at_parent_death)


def _become(account: Account) -> None:
    linux = sys.platform == "linux"
    if linux:
        _prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setgid(account.gid)
    os.setuid(account.uid)
    # Containers seldom grant the weaker capability; without either, a path open to everybody still works.
    if linux and not _keep(CAP_DAC_READ_SEARCH):
        _keep(CAP_DAC_OVERRIDE)


def _keep(capability: int) -> bool:
    """Reduce this process to one capability that survives exec (capabilities(7), ambient set)."""
    bit = 1 << capability
    header = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0)
    effective_permitted_inheritable = (ctypes.c_uint32 * 6)(bit, bit, bit)
    if ctypes.CDLL(None).capset(header, effective_permitted_inheritable) != 0:
        return False
    return _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability) == 0


def _prctl(option: int, *arguments: int) -> int:
    padded = [*arguments, 0, 0, 0, 0][:4]
    return int(ctypes.CDLL(None).prctl(option, *(ctypes.c_ulong(argument) for argument in padded)))


def _run(at_parent_death: str, parent: str, who: str, *argv: str) -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if who != "-":
        uid, gid = who.split(":")
        _become(Account(int(uid), int(gid)))
    if sys.platform == "linux":
        # Last, because a change of credentials clears it; then see whether the parent died meanwhile.
        _prctl(PR_SET_PDEATHSIG, int(at_parent_death))
    if os.getppid() == int(parent):
        os.execvp(argv[0], argv)  # noqa: S606


if __name__ == "__main__":
    try:
        _run(*sys.argv[1:])
    except OSError as error:
        print(f"cannot run {sys.argv[4]}: {error.strerror}", file=sys.stderr)
        sys.exit(CANNOT_START)
