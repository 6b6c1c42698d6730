"""The command line: `nncomp train, compress, demo` make networks, `report, predict, inspect` look at them."""

import os
import sys


def main() -> None:
    """Run the program; it is imported here, where Ctrl-C and output that nobody takes are told in a line as well."""
    try:
        from nncomp.cli.program import app

        app()
    except KeyboardInterrupt:
        _end("stopped", 130)
    except OSError as error:
        _end(str(error), 2)


def _end(message: str, code: int) -> None:
    print(f"nncomp: {message}", file=sys.stderr)
    sys.stderr.flush()
    os._exit(code)
