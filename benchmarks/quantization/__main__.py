"""One question about quantization: `python -m benchmarks.quantization QUESTION`, with `--help` for its options."""

from benchmarks.quantization import beside, inference, layers, mixed, networks, pictures, training
from benchmarks.question import Main, answer

QUESTIONS: dict[str, Main] = {
    "layers": layers.main,  # what each method loses of a layer's outputs
    "networks": networks.main,  # what it costs a network, five seeds, both data sets
    "beside": beside.main,  # floats beside codes: outliers, low-rank factors
    "mixed": mixed.main,  # bits by layer
    "inference": inference.main,  # whole networks in integers, timed beside others
    "training": training.main,  # few bits, trained for
    "pictures": pictures.main,
}


if __name__ == "__main__":
    answer("quantization", QUESTIONS)
