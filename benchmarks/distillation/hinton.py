"""Hinton's experiment on MNIST: `python -m benchmarks.distillation hinton`.

Errors of 10,000 test samples, beside those of Hinton, Vinyals & Dean 2015, section 3. The teacher, 784-1200-1200-10,
has dropout, batch norm, decay of weights and pictures jittered by a pixel, where the paper's has bounded norms and two
pixels. (Errors of 10,000 training samples held out, after 30 epochs: 83; without batch norm 94; with two pixels 94;
with SGD 99; with dropout of 0.2, 0.4 and 0.4 119. Of another 10,000: 80; with labels smoothed 78; in batches of 100 80;
moved by fractions, up to 1 pixel 84, 1.5 80; after 120 epochs 58, fractions 62, two pixels 56.) Students have none of
these, and their transfer set is not jittered.
`tune` trains a student alone and one distilled in four ways each, for one seed, and counts errors of the 5,000
validation samples: `ALONE` and `DISTILLED` are the best. Then all 60,000 samples are learned, but where classes are
missing, 55,000: the bias of the classes is chosen on the other 5,000, and the one chosen on the test split, as in the
paper, stands beside it. Where the validation split decides, the teacher has not seen it either: from one that has, a
student learns it without ever having seen it (10 errors of 5,000, and 84 when it learns alone). Each training is a line
of the result file, and what is there is not done again; teachers are kept in a folder, and gone on with.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.distillation.pictures import curve
from benchmarks.pruning.at_start import joined
from benchmarks.sweep import sweep
from nncomp.augment import Jitter
from nncomp.data import Data, Split, load_data
from nncomp.distill import best_bias
from nncomp.files import Checkpoint, load, save
from nncomp.fingerprint import fingerprint
from nncomp.learning_rate import Cosine
from nncomp.network import MLP
from nncomp.optim import Adam, AdamW
from nncomp.steps import Distill, FineTune

SEEDS = (0, 1, 2)
LARGE = FineTune(100, 200, AdamW(1e-3, weight_decay=0.05), Cosine(), dropout=(0.1, 0.2, 0.2), augment=Jitter(1))
MARK = fingerprint(LARGE, "batch norm")[:8]
EPOCHS = 50
ALONE = {"rate": 1e-3, "decay": 0.0}
DISTILLED = {"rate": 1e-3, "alpha": 0.9}
TUNED = {"alone": list(product((1e-3, 2e-3), (0.0, 1e-5))), "distilled": list(product((1e-3, 2e-3), (0.9, 1.0)))}
TEMPERATURES, UNITS = (1.0, 2.0, 3.0, 4.0, 8.0, 20.0, 40.0), (800, 300, 30)
MISSING = {"no threes": (3,), "sevens and eights": (0, 1, 2, 3, 4, 5, 6, 9)}
PUBLISHED = {"teacher": "67", "alone": "146", "distilled": "74", "no threes": "206", "sevens and eights": "4730"}
CORRECTED = {"no threes": "109", "sevens and eights": "1320"}


def table_rows(seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """The trainings of the table, students after their teachers."""
    distilled = {"units": 800, "teacher": MARK, "T": 20.0, "epochs": EPOCHS, **DISTILLED}
    for seed in seeds:
        yield {"row": "teacher", "seed": seed, "epochs": LARGE.epochs, "teacher": MARK}
        yield {"row": "alone", "seed": seed, "units": 800, "epochs": EPOCHS, **ALONE}
        for row in ("distilled", *MISSING):
            yield {"row": row, "seed": seed, **distilled}


def curve_points() -> Iterator[dict[str, Any]]:
    """The trainings of the curves of error against temperature, one seed."""
    for units in UNITS:
        yield {"row": "alone", "seed": 0, "units": units, "epochs": EPOCHS, **ALONE}
        for T in TEMPERATURES:
            dials = {"teacher": MARK, "T": T, **DISTILLED}
            yield {"row": "distilled", "seed": 0, "units": units, "epochs": EPOCHS, **dials}


def tunings() -> Iterator[dict[str, Any]]:
    """The settings to choose among by the validation split."""
    for rate, decay in TUNED["alone"]:
        yield {"row": "alone, tuned", "seed": 0, "units": 800, "epochs": EPOCHS, "rate": rate, "decay": decay}
    for rate, alpha in TUNED["distilled"]:
        dials = {"teacher": MARK, "rate": rate, "alpha": alpha}
        yield {"row": "distilled, tuned", "seed": 0, "units": 800, "T": 20.0, "epochs": EPOCHS, **dials}


def measure(data: Data, teachers: Path, row: str, seed: int, epochs: int, **dials: Any) -> dict[str, Any]:
    """The errors of one network, of 10,000; of the validation split's 5,000 where a row tunes."""
    held, whole = data.validation, replace(data, train=joined(data.train, data.validation))
    tuning, missing = row.endswith("tuned"), MISSING.get(row, ())
    learned = (data if tuning or missing else whole).without_test()  # by the teacher, too
    assert data.test is not None
    if row == "teacher":
        network = large(learned, teachers, seed)
    else:
        start = MLP.init([784, dials["units"], dials["units"], 10], seed=seed)
        optimizer = Adam(dials["rate"], weight_decay=dials.get("decay", 0.0))
        during = FineTune(epochs, optimizer=optimizer, schedule=Cosine(), seed=seed)
        if "T" in dials:
            teacher = large(learned, teachers, seed)
            step = Distill(teacher=teacher, T=dials["T"], alpha=dials["alpha"], without=missing, during=during)
            network = step(start, learned)
        else:
            network = during(start, learned)
    if tuning:
        return {"errors": wrong(network(held.x), held)}
    logits = network(data.test.x)
    return {"errors": wrong(logits, data.test)} | (corrected(network(held.x), held, logits, data.test, missing))


def large(data: Data, folder: Path, seed: int) -> MLP:
    """The teacher, trained where the folder does not have it."""
    file = folder / f"teacher-{MARK}-{len(data.train)}-{seed}.safetensors"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        hooks = (Checkpoint(file.with_suffix(".training"), every=60),)
        save(file, replace(LARGE, seed=seed)(MLP.init([784, 1200, 1200, 10], norm=True, seed=seed), data, hooks))
    return load(file)


def wrong(logits: np.ndarray, split: Split) -> int:
    return int((logits.argmax(axis=1) != split.y).sum())


def corrected(
    held_logits: np.ndarray, held: Split, logits: np.ndarray, test: Split, missing: Sequence[int]
) -> dict[str, Any]:
    """Errors with one bias for the missing classes, chosen on what is held out, and on the test split itself."""
    if not missing:
        return {}
    of_missing = np.isin(np.arange(logits.shape[1]), missing)
    found: dict[str, Any] = {"on missing": wrong(logits[np.isin(test.y, missing)], of(test, missing))}
    for name, z, split in (("corrected", held_logits, held), ("corrected on test", logits, test)):
        bias = best_bias(z, split.y, missing)
        shifted = logits + np.float32(bias) * of_missing
        found |= {f"{name}, bias": bias, name: wrong(shifted, test)}
        found[f"{name}, on missing"] = wrong(shifted[np.isin(test.y, missing)], of(test, missing))
    return found


def of(split: Split, classes: Sequence[int]) -> Split:
    kept = np.isin(split.y, classes)
    return Split(split.x[kept], split.y[kept])


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, print the table, draw the curve."""
    name = "python -m benchmarks.distillation hinton"
    parser = argparse.ArgumentParser(prog=name, description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="?", choices=("table", "curve", "tune"), default="table", help="what to train")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS), help="of the table")
    parser.add_argument("--data", help="folder of MNIST's IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--teachers", default="build/teachers", type=Path, help="folder of the teachers")
    parser.add_argument("--out", default="benchmarks/results/distillation-hinton.jsonl", help="file of the results")
    options = parser.parse_args(arguments)
    data = load_data("mnist", options.data)
    asked = {"table": table_rows(options.seeds), "curve": curve_points(), "tune": tunings()}[options.part]
    results = []
    for result in sweep(options.out, asked, lambda **setting: measure(data, options.teachers, **setting)):
        results.append(result)
        print({key: value for key, value in result.items() if key != "key"}, flush=True)
    if options.part == "table":
        print(*table(results), sep="\n")
    if options.part == "curve":
        curve(results, Path(options.out).with_suffix(".png"))


def table(results: Sequence[dict[str, Any]]) -> list[str]:
    """Errors of 10,000: the mean over seeds, the least and the most."""
    lines = [f"{'':42} {'published':>9}  {'mean (range), seeds':24}"]
    told = [(row, "errors", figure) for row, figure in PUBLISHED.items()]
    told += [(row, "corrected", figure) for row, figure in CORRECTED.items()]
    told += [(row, "corrected on test", figure) for row, figure in CORRECTED.items()]
    words = {"corrected": ", corrected", "corrected on test": ", corrected on the test split"}
    for row, key, figure in sorted(told, key=lambda line: list(PUBLISHED).index(line[0])):
        errors = [r[key] for r in results if r["row"] == row]
        if errors:
            spread = f"{np.mean(errors):.1f} ({min(errors)} to {max(errors)}), {len(errors)}"
            lines.append(f"{row + words.get(key, ''):42} {figure:>9}  {spread}")
    return lines
