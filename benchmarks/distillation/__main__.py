"""One question about distillation: `python -m benchmarks.distillation QUESTION`, with `--help` for its options."""

import sys
from collections.abc import Callable

from benchmarks.distillation import hinton, pruned, ranking

QUESTIONS: dict[str, Callable[[list[str]], None]] = {
    "hinton": hinton.main,  # his experiment on MNIST
    "pruned": pruned.main,  # distilled, pruned and in 8 bits
    "ranking": ranking.main,  # which loss helps a small network
}


def main(arguments: list[str]) -> None:
    """Hand the rest of the command line to the question's own `main`."""
    if not arguments or arguments[0] not in QUESTIONS:
        asked = f"no question {arguments[0]!r}; " if arguments and arguments[0] not in ("-h", "--help") else ""
        raise SystemExit(f"{asked}python -m benchmarks.distillation {'|'.join(QUESTIONS)} [--help]")
    QUESTIONS[arguments[0]](arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
