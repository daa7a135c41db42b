"""`python -m bench [--quick] [row …]`: measures the rows, prints the table, writes the JSON."""

import argparse
import time
from collections.abc import Sequence

import uvloop

from bench import bulk, campaign, contact_import, conversation_list, ingest, reports, send, sockets, start, table
from bench.place import Place, opened_place
from bench.sizes import QUICK, Sizes
from bench.table import Finding

ROWS = {
    module.ROW: module.measure
    for module in (ingest, conversation_list, send, bulk, campaign, contact_import, reports, sockets, start)
}


async def measured(place: Place, rows: Sequence[str], sizes: Sizes) -> Sequence[Finding]:
    """Measure `rows`, one after the other."""
    findings: list[Finding] = []
    for row in rows:
        print(f"measuring {row} …", flush=True)
        findings += await ROWS[row](place, sizes)
    return findings


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="row", help=f"which rows (default: all): {', '.join(ROWS)}")
    parser.add_argument("--quick", action="store_true", help="measure less, to try something out")
    arguments = parser.parse_args()
    unknown = set(arguments.rows) - set(ROWS)
    if unknown:
        parser.error(f"there is no row {', '.join(sorted(unknown))}")
    about, started = table.machine(), time.monotonic()
    with opened_place() as place:
        findings = uvloop.run(measured(place, arguments.rows or list(ROWS), QUICK if arguments.quick else Sizes()))
    seconds = time.monotonic() - started
    table.show(findings, about, seconds)
    print(f"Written to {table.write(findings, about, seconds)}")


if __name__ == "__main__":
    main()
