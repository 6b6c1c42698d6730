"""One question about quantization: `python -m benchmarks.quantization QUESTION`, with `--help` for its options."""

import sys
from collections.abc import Callable

from benchmarks.quantization import beside, inference, layers, mixed, networks, pictures, training

QUESTIONS: dict[str, Callable[[list[str]], None]] = {
    "layers": layers.main,  # what each method loses of a layer's outputs
    "networks": networks.main,  # what it costs a network, five seeds, both data sets
    "beside": beside.main,  # floats beside codes: outliers, low-rank factors
    "mixed": mixed.main,  # bits by layer
    "inference": inference.main,  # whole networks in integers, timed beside others
    "training": training.main,  # few bits, trained for
    "pictures": pictures.main,
}


def main(arguments: list[str]) -> None:
    """Hand the rest of the command line to the question's own `main`."""
    if not arguments or arguments[0] not in QUESTIONS:
        asked = f"no question {arguments[0]!r}; " if arguments and arguments[0] not in ("-h", "--help") else ""
        raise SystemExit(f"{asked}python -m benchmarks.quantization {'|'.join(QUESTIONS)} [--help]")
    QUESTIONS[arguments[0]](arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
