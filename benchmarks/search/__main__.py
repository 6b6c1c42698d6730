"""One question about searching: `python -m benchmarks.search QUESTION`, with `--help` for its options."""

from benchmarks.question import Main, answer
from benchmarks.search import allocation, mnist

QUESTIONS: dict[str, Main] = {
    "mnist": mnist.main,  # how much smaller at a tenth of a point
    "allocation": allocation.main,  # each layer its own setting, against one for all
}


if __name__ == "__main__":
    answer("search", QUESTIONS)
