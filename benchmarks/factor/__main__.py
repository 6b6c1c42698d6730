"""One question about factorization: `python -m benchmarks.factor QUESTION`, with `--help` for its options."""

from benchmarks.factor import table
from benchmarks.question import Main, answer

QUESTIONS: dict[str, Main] = {
    "table": table.main,  # rank against error, by weights and by outputs
}


if __name__ == "__main__":
    answer("factor", QUESTIONS)
