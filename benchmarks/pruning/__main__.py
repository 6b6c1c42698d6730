"""One question about pruning: `python -m benchmarks.pruning QUESTION`, with `--help` for its options."""

import sys
from collections.abc import Callable

from benchmarks.pruning import at_start, chart, epochs, layers, neurons, pictures, published, training

QUESTIONS: dict[str, Callable[[list[str]], None]] = {
    "layers": layers.main,  # what each method loses of a layer's outputs
    "at-start": at_start.main,  # pruned before any training
    "training": training.main,  # pruned while training
    "chart": chart.main,  # all of these in one picture
    "epochs": epochs.main,  # what a sparse epoch costs
    "neurons": neurons.main,  # whole pixels and neurons
    "published": published.main,  # beside what papers printed
    "pictures": pictures.main,
}


def main(arguments: list[str]) -> None:
    """Hand the rest of the command line to the question's own `main`."""
    if not arguments or arguments[0] not in QUESTIONS:
        asked = f"no question {arguments[0]!r}; " if arguments and arguments[0] not in ("-h", "--help") else ""
        raise SystemExit(f"{asked}python -m benchmarks.pruning {'|'.join(QUESTIONS)} [--help]")
    QUESTIONS[arguments[0]](arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
