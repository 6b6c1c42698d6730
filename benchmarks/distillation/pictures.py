"""What distillation does, drawn."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


def curve(results: Sequence[dict[str, Any]], file: Path) -> None:
    """Errors against the temperature, a line for each width of student, beside the same student alone."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    widths = sorted({r["units"] for r in results}, reverse=True)
    for panel, units in zip(figure.subplots(1, len(widths), squeeze=False)[0], widths):
        points = sorted((r["T"], r["errors"]) for r in results if r["row"] == "distilled" and r["units"] == units)
        panel.plot(*zip(*points), "o-", label="distilled")
        for alone in [r["errors"] for r in results if r["row"] == "alone" and r["units"] == units][:1]:
            panel.axhline(alone, color="C1", linestyle="--", label="alone")
        panel.set_xscale("log")
        panel.set_xticks([T for T, _ in points], [f"{T:g}" for T, _ in points])
        panel.minorticks_off()
        panel.set_ylim(bottom=0)
        panel.grid(alpha=0.3)
        panel.set_xlabel("temperature T")
        panel.set_title(f"784-{units}-{units}-10")
        panel.legend()
    figure.supylabel("errors of 10,000")
    figure.savefig(file, dpi=110)
