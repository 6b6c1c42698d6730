"""One question about factorization: `python -m benchmarks.factor QUESTION`, with `--help` for its options."""

import sys
from collections.abc import Callable

from benchmarks.factor import table

QUESTIONS: dict[str, Callable[[list[str]], None]] = {
    "table": table.main,  # rank against error, by weights and by outputs
}


def main(arguments: list[str]) -> None:
    """Hand the rest of the command line to the question's own `main`."""
    if not arguments or arguments[0] not in QUESTIONS:
        asked = f"no question {arguments[0]!r}; " if arguments and arguments[0] not in ("-h", "--help") else ""
        raise SystemExit(f"{asked}python -m benchmarks.factor {'|'.join(QUESTIONS)} [--help]")
    QUESTIONS[arguments[0]](arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
