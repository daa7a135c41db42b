"""The private directory in which the bundled servers keep everything, and who owns it now.

- `postgres/`, `valkey/`: each server's data; `log/`: its log; `postgres.password`, `valkey.password`.
- `run/`: the servers' sockets, unless its path is too long; then `socket_directory` names another one.
- `lock`: held by the running owner, with its process id.
"""

import fcntl
import os
import pwd
import re
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from elsehu.die_with_parent import Account
from elsehu.embedded.errors import EmbeddedError

LONGEST_SOCKET_NAME = ".s.PGSQL.5432"
# sun_path holds 108 bytes on Linux, 104 on macOS and the BSDs, with the closing zero.
LONGEST_SOCKET_PATH = 103
PLAIN_PATH = re.compile(r"[A-Za-z0-9_./-]+")


@dataclass(frozen=True, slots=True)
class DataDir:
    """A data directory that this process owns.

    Attributes:
        root: its absolute path.
        account: under which the servers run; None for our own. Root must give up to another one, because
            PostgreSQL refuses to run as root.
        sockets: where the servers' sockets are, short and plain enough for a socket address in a URL.
    """

    root: Path
    account: Account | None
    sockets: Path

    def log(self, server: str) -> Path:
        """Return the path of a server's log."""
        return self.root / "log" / f"{server}.log"

    def room(self, name: str) -> Path:
        """Return the directory `name` in the root, private to the servers' account; make it if need be."""
        path = self.root / name
        path.mkdir(mode=0o700, exist_ok=True)
        self.hand_over(path)
        return path

    def hand_over(self, path: Path) -> None:
        """Give `path`, and all that is in it, to the servers' account if it is not theirs."""
        if self.account is None or path.lstat().st_uid == self.account.uid:
            return
        for folder, _, files in os.walk(path):
            for name in (*files, ""):
                os.chown(Path(folder, name), self.account.uid, self.account.gid, follow_symlinks=False)

    def write_for_servers(self, path: Path, text: str) -> None:
        """Write a file that the servers' account can read."""
        write_private(path, text, self.account)

    def password_file(self, server: str) -> Path:
        """Return the path of the file with a server's password."""
        return self.root / f"{server}.password"


@contextmanager
def claimed(path: Path) -> Iterator[DataDir]:
    """Make `path` a private data directory of this process while the block runs.

    Raises:
        EmbeddedError: `data_dir_unusable`, `data_dir_not_yours`, `data_dir_in_use`, `no_account`.
    """
    root = path.expanduser().resolve()
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = root.stat().st_uid
    except OSError as error:
        message = f"The data directory {root} cannot be made: {error.strerror}."
        raise EmbeddedError("data_dir_unusable", f"{message} Give a path that you may write to.") from error
    if owner != os.geteuid():
        raise EmbeddedError(
            "data_dir_not_yours",
            f"The data directory {root} belongs to user {_name(owner)}, and this is {_name(os.geteuid())}. "
            "Start Elsehu as its owner, change the owner, or give another data directory.",
        )
    root.chmod(0o700)
    with _locked(root):
        account = _account()
        (root / "log").mkdir(mode=0o700, exist_ok=True)
        data = DataDir(root, account, root / "run")
        data.room("run")
        if not _fits(data.sockets):
            data = DataDir(root, account, _short_directory(root / "socket_directory", account))
        yield data


def write_private(path: Path, text: str, account: Account | None = None) -> None:
    """Replace `path` at once by a file (0600) with `text`, owned by `account`."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)
        if account:
            os.fchown(handle, account.uid, account.gid)
    Path(name).replace(path)


def new_password() -> str:
    """Return a password that needs no quoting anywhere."""
    return secrets.token_hex(24)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    handle = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "r+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EmbeddedError(
                "data_dir_in_use",
                f"The data directory {root} is in use by process {lock.read().strip() or 'unknown'}. "
                "Stop that one first, or give this one another data directory.",
            ) from None
        lock.truncate()
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _account() -> Account | None:
    """Return the account that root gives up to: `elsehu` where somebody made one, else `nobody`."""
    if os.geteuid() != 0:
        return None
    for name in ("elsehu", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedError(
        "no_account",
        "PostgreSQL refuses to run as root, and there is neither a user elsehu nor nobody to run it as. "
        "Start Elsehu as an ordinary user, or make one named elsehu.",
    )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _fits(directory: Path) -> bool:
    path = str(directory / LONGEST_SOCKET_NAME)
    return len(path) <= LONGEST_SOCKET_PATH and PLAIN_PATH.fullmatch(path) is not None


def _short_directory(memo: Path, account: Account | None) -> Path:
    """Return a directory with a short name for sockets, the same one each time as long as it can be had."""
    remembered = Path(memo.read_text(encoding="utf-8")) if memo.exists() else None
    if remembered and _had(remembered, account):
        return remembered
    usual = tempfile.gettempdir()
    parent = usual if _fits(Path(usual, "elsehu-12345678")) else "/tmp"  # noqa: S108
    fresh = Path(tempfile.mkdtemp(prefix="elsehu-", dir=parent))
    if account:
        os.chown(fresh, account.uid, account.gid)
    write_private(memo, str(fresh))
    return fresh


def _had(directory: Path, account: Account | None) -> bool:
    """Say whether `directory` is there, made anew if it was swept away, and the servers' alone."""
    uid = account.uid if account else os.geteuid()
    try:
        directory.mkdir(mode=0o700)
        if account:
            os.chown(directory, account.uid, account.gid)
    except FileExistsError:
        pass
    except OSError:
        return False
    found = directory.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == uid and stat.S_IMODE(found.st_mode) == 0o700
