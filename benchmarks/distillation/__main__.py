"""One question about distillation: `python -m benchmarks.distillation QUESTION`, with `--help` for its options."""

from benchmarks.distillation import hinton, pruned, ranking
from benchmarks.question import Main, answer

QUESTIONS: dict[str, Main] = {
    "hinton": hinton.main,  # his experiment on MNIST
    "pruned": pruned.main,  # distilled, pruned and in 8 bits
    "ranking": ranking.main,  # which loss helps a small network
}


if __name__ == "__main__":
    answer("distillation", QUESTIONS)
