"""The `elsehu` program."""

import gc
import sys


def main() -> None:
    """Run the program. Exit codes: 0; 1 it failed; 2 it cannot start as it is configured or was called."""
    # Imports make a hundred thousand objects that all stay: collecting among them takes a fifth of the start.
    gc.disable()
    from elsehu.cli.commands import elsehu
    from elsehu.cli.errors import exit_code_of
    from elsehu.cli.program import Program

    try:
        code = elsehu.main(prog_name="elsehu", standalone_mode=False, obj=Program())
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  the edge: what nobody foresaw is raised again
        code = exit_code_of(error)
    sys.exit(code if isinstance(code, int) else 0)
