"""Verify every kernel, then time it beside its rivals in one interleaved run: `python -m benchmarks.kernels`.

Of each case: our time, the best rival's as a multiple of it (above 1, ours is faster), and how much of what the machine
can do it is; of each kernel, the worst case and the geometric mean. A rival does the same row-major task in its fastest
spelling; packing that is done once for a weight is outside the timing for all, whatever depends on the input inside.
"""

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.kernels.case import Case
from benchmarks.kernels.dense import float_cases, int8_cases, linear_cases
from benchmarks.kernels.few_bits import binary_cases, lookup_cases, lowbit_cases
from benchmarks.kernels.masked import input_grad_cases, matmul_cases, sparse_int8_cases, weight_grad_cases
from benchmarks.kernels.optimizer import adam_cases
from benchmarks.kernels.peaks import peaks
from benchmarks.kernels.structured import block_cases, n_of_m_cases
from benchmarks.timing import machine, on_threads, save
from nncomp.kernels.simd.path import CHOSEN
from nncomp.kernels.threads import CORES

KERNELS: dict[str, tuple[Callable[[bool, int], Iterator[Case]], ...]] = {
    "int8_matmul": (int8_cases,), "fused_linear": (linear_cases,), "dense_matmul": (float_cases,),
    "masked_matmul": (matmul_cases,),
    "masked_input_grad": (input_grad_cases,), "masked_weight_grad": (weight_grad_cases,),
    "sparse_int8": (sparse_int8_cases,), "block_sparse": (block_cases,), "n_of_m": (n_of_m_cases,),
    "int4": (lowbit_cases, lookup_cases), "int2": (lowbit_cases,), "ternary": (lowbit_cases,),
    "binary": (binary_cases,), "lookup": (lookup_cases,), "adam": (adam_cases,),
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the peaks, then every case, and print as they come."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few shapes and few turns, to see that it works")
    parser.add_argument("--threads", choices=("1", "all"), default="1", help="threads of every rival and of ours")
    parser.add_argument("--only", choices=KERNELS, metavar="NAME", help=f"one kernel: {', '.join(KERNELS)}")
    parser.add_argument("--json", metavar="FILE", help="write the machine and the records here")
    options = parser.parse_args(arguments)
    threads = 1 if options.threads == "1" else CORES
    rounds, least = (3, 1e-3) if options.quick else (7, 4e-3)
    with on_threads(threads):
        described = machine() | {"path": CHOSEN, "peaks": peaks()}
        print(f"{described['cpu']}; path {CHOSEN}; {threads} thread{'s' * (threads > 1)}")
        print("peaks:", ", ".join(f"{name} {1e-9 * peak:.0f} G/s" for name, peak in described["peaks"].items()))
        records = [_printed(case.measure(described["peaks"], rounds, least)) for case in _cases(options, threads)]
    _print_summary(records)
    if options.json:
        save(options.json, records, described)


def _cases(options: argparse.Namespace, threads: int) -> Iterator[Case]:
    wanted = [options.only] if options.only else list(KERNELS)
    for make in dict.fromkeys(make for name in wanted for make in KERNELS[name]):
        yield from (case for case in make(options.quick, threads) if case.kernel in wanted)


def _printed(record: dict[str, Any]) -> dict[str, Any]:
    best = min(record["rivals"], key=record["rivals"].get)
    print(
        f"{record['kernel']:18} {record['case']:52} {1e6 * record['ours_s']:10.1f} us"
        f" {record['ratio']:7.2f} x {best:32} {100 * record['peak_fraction']:5.1f} % of peak",
        flush=True,
    )
    return record


def _print_summary(records: Sequence[dict[str, Any]]) -> None:
    print(f"\n{'kernel':18} {'cases':>5} {'geometric mean':>15} {'worst':>7}")
    for kernel in dict.fromkeys(record["kernel"] for record in records):
        mine = [record for record in records if record["kernel"] == kernel]
        worst = min(mine, key=lambda record: record["ratio"])
        mean = math.exp(sum(math.log(record["ratio"]) for record in mine) / len(mine))
        print(f"{kernel:18} {len(mine):5} {mean:13.2f} x {worst['ratio']:5.2f} x  {worst['case']}")


if __name__ == "__main__":
    main()
