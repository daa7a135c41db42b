"""``python -m elsehu_meta_cloud.testing --port 0``: run a stand-in and print its URL and that of its file host."""

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
        print(standin.url, standin.files_url, flush=True)
        signal.sigwait(signals)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="elsehu_meta_cloud.testing", description=__doc__)
    for option in fields(Options):
        kind = _truth if isinstance(option.default, bool) else type(option.default)
        parser.add_argument("--" + option.name.replace("_", "-"), default=option.default, type=kind)
    return parser


def _truth(text: str) -> bool:
    return text.lower() in ("true", "yes", "1")


if __name__ == "__main__":
    main()
