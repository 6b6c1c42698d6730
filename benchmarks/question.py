"""A package of benchmarks asks several questions, each with a `main` and options of its own."""

import sys
from collections.abc import Callable, Mapping

Main = Callable[[list[str]], None]


def answer(package: str, questions: Mapping[str, Main]) -> None:
    """Hand the command line, after the question that it begins with, to that question's own `main`."""
    asked, *others = sys.argv[1:] or ["--help"]
    if asked not in questions:
        unknown = "" if asked in ("-h", "--help") else f"no question {asked!r}; "
        raise SystemExit(f"{unknown}python -m benchmarks.{package} {'|'.join(questions)} [--help]")
    questions[asked](others)
