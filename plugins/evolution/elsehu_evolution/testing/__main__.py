"""``python -m elsehu_evolution.testing --port 0``: run a stand-in and print its URL."""

import argparse
import signal
from dataclasses import fields

from .options import Options
from .standin import running_standin


def main() -> None:
    """Serve until SIGINT or SIGTERM; every field of ``Options`` is an argument."""
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with running_standin(**vars(_parser().parse_args())) as standin:
        print(standin.url, flush=True)
        signal.sigwait(signals)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="elsehu_evolution.testing", description=__doc__)
    for option in fields(Options):
        name = "--" + option.name.replace("_", "-")
        if isinstance(option.default, bool):
            parser.add_argument(name, default=option.default, action=argparse.BooleanOptionalAction)
        else:
            kind = float if option.default is None else type(option.default)
            parser.add_argument(name, default=option.default, type=kind)
    return parser


if __name__ == "__main__":
    main()
