"""One question about pruning: `python -m benchmarks.pruning QUESTION`, with `--help` for its options."""

from benchmarks.pruning import at_start, chart, epochs, layers, neurons, pictures, published, training
from benchmarks.question import Main, answer

QUESTIONS: dict[str, Main] = {
    "layers": layers.main,  # what each method loses of a layer's outputs
    "at-start": at_start.main,  # pruned before any training
    "training": training.main,  # pruned while training
    "chart": chart.main,  # all of these in one picture
    "epochs": epochs.main,  # what a sparse epoch costs
    "neurons": neurons.main,  # whole pixels and neurons
    "published": published.main,  # beside what papers printed
    "pictures": pictures.main,
}


if __name__ == "__main__":
    answer("pruning", QUESTIONS)
