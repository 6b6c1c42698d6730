"""The command line: `nncomp train, compress, demo` make networks, `report, predict, inspect` look at them.

`sensitivity` and `search` say how far to compress one.
"""

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
    if sys.stderr is not None:
        print(f"nncomp: {message}", file=sys.stderr, flush=True)
    os._exit(code)  # at once: what is left to print may have nobody to print to
