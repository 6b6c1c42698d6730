"""Timing rivals beside each other on a machine that does other things too.

A slow minute must not fall on one rival alone, so they take turns within one run, and what is reported is the median
of a rival's times and the median of the ratios within each turn.
"""

import gc
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from threadpoolctl import threadpool_info, threadpool_limits

from nncomp.kernels.threads import limit_threads

PACKAGES = ("numpy", "scipy", "numba", "llvmlite", "scikit-learn", "torch", "onnxruntime")


def interleaved(tasks: Mapping[str, Callable[[], Any]], rounds: int, least: float = 0.0) -> dict[str, list[float]]:
    """Seconds of a call of each task in each round; a round gives every task its turn. Warm up before.

    A turn is one call, or as many as take `least` seconds: short ones find what they left in the caches then, as they
    do where they are called again and again, and not what another task left there.

    >>> {name: len(times) for name, times in interleaved({"a": int, "b": str}, rounds=3).items()}
    {'a': 3, 'b': 3}
    """
    calls = {name: _calls(task, least) for name, task in tasks.items()}
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            gc.collect()
            start = time.perf_counter()
            for _ in range(calls[name]):
                task()
            seconds[name].append((time.perf_counter() - start) / calls[name])
    return seconds


def _calls(task: Callable[[], Any], least: float) -> int:
    """How many calls take that long."""
    if not least:
        return 1
    task()
    start = time.perf_counter()
    task()
    return max(1, round(least / max(time.perf_counter() - start, 1e-7)))


def compared(seconds: Mapping[str, Sequence[float]], ours: str) -> list[dict[str, Any]]:
    """One record per task: its median and best time, and `ours` as a multiple of it, in the medians and turn by turn.

    >>> compared({"we": [1.0, 2.0, 3.0], "they": [2.0, 2.0, 2.0]}, "we")[1]
    {'name': 'they', 'median': 2.0, 'best': 2.0, 'ratio': 1.0, 'paired': 1.0, 'seconds': [2.0, 2.0, 2.0]}
    """
    return [
        {
            "name": name,
            "median": median(times),
            "best": min(times),
            "ratio": median(seconds[ours]) / median(times),
            "paired": median(our / their for our, their in zip(seconds[ours], times, strict=True)),
            "seconds": list(times),
        }
        for name, times in seconds.items()
    ]


def table(records: Sequence[Mapping[str, Any]], ours: str) -> str:
    """The records of `compared` in lines of text."""
    width = max(len(record["name"]) for record in records)
    lines = [f"{'':{width}}  median s    best s  {ours} / it  turn by turn"]
    for r in records:
        ratio = f"{r['ratio']:.3f}".rjust(len(ours) + 5)
        lines.append(f"{r['name']:{width}}  {r['median']:8.4f}  {r['best']:8.4f}  {ratio}  {r['paired']:12.3f}")
    return "\n".join(lines)


@contextmanager
def on_threads(threads: int) -> Iterator[None]:
    """Everything on so many threads: the kernels, the BLAS and OpenMP libraries loaded so far, and PyTorch if it is."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 0
    try:
        with threadpool_limits(threads), limit_threads(threads):
            if torch:
                torch.set_num_threads(threads)
            yield
    finally:
        if torch:
            torch.set_num_threads(before)


def machine() -> dict[str, Any]:
    """The processor, the versions of what was timed, and the thread counts in force at the call."""
    torch = sys.modules.get("torch")
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "threads": {
            **{f"{pool['prefix']} {pool['version'] or ''}".strip(): pool["num_threads"] for pool in threadpool_info()},
            **({"torch": torch.get_num_threads()} if torch else {}),
        },
    }


def save(path: str | Path, records: Sequence[Mapping[str, Any]], described: Mapping[str, Any]) -> None:
    """Write `{"machine": ..., "records": [...]}`, `described` being what `machine()` said during the timing."""
    Path(path).write_text(json.dumps({"machine": described, "records": records}, indent=1) + "\n")


def _cpu() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    if "model name" not in facts:
        return platform.processor() or platform.machine()
    return f"{facts['model name']}, family {facts.get('cpu family', '?')} model {facts.get('model', '?')}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
