"""One question about searching: `python -m benchmarks.search QUESTION`, with `--help` for its options."""

import sys
from collections.abc import Callable

from benchmarks.search import allocation, mnist

QUESTIONS: dict[str, Callable[[list[str]], None]] = {
    "mnist": mnist.main,  # how much smaller at a tenth of a point
    "allocation": allocation.main,  # each layer its own setting, against one for all
}


def main(arguments: list[str]) -> None:
    """Hand the rest of the command line to the question's own `main`."""
    if not arguments or arguments[0] not in QUESTIONS:
        asked = f"no question {arguments[0]!r}; " if arguments and arguments[0] not in ("-h", "--help") else ""
        raise SystemExit(f"{asked}python -m benchmarks.search {'|'.join(QUESTIONS)} [--help]")
    QUESTIONS[arguments[0]](arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
