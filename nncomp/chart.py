"""The picture of a run: what each network's file takes against what it gets wrong."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nncomp.files import write_atomically
from nncomp.files.atomic import check_replaceable


def draw(path: str | Path, networks: Sequence[tuple[str, int, float]], data: str, split: str) -> None:
    """Draw `(name, bytes of its file, error in %)`, joined in order; the suffix of `path` says the image format."""
    check_plot(path)
    image = io.BytesIO()
    _figure(networks, data, split).savefig(image, dpi=150, format=Path(path).suffix.removeprefix(".") or "png")
    write_atomically(path, image.getvalue())


def _figure(networks: Sequence[tuple[str, int, float]], data: str, split: str) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    size, error = [bytes / 1e3 for _, bytes, _ in networks], [error for *_, error in networks]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes: Any = figure.subplots()
    axes.plot(size, error, color="0.8", zorder=1)
    places: dict[tuple[float, float], list[str]] = {}
    for i, (x, y, (name, *_)) in enumerate(zip(size, error, networks), 1):
        axes.scatter(x, y, s=160, zorder=2, label=f"{i}  {_short(name)}: {x:.1f} kB, {y:.2f} %")
        places.setdefault((x, y), []).append(str(i))
    for place, numbers in places.items():  # networks at one place share its label
        axes.annotate(",".join(numbers), place, ha="center", va="center", color="white", fontsize=8)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.1)
    top = 1.25 * max([*error, 0.1])
    axes.set_ylim(-0.05 * top, top)
    axes.set_xlabel("file size, kB (log scale)")
    axes.set_ylabel(f"{split} error, %")
    axes.set_title(f"{data}: size against error")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", markerscale=0.5, frameon=False)
    return figure


def check_plot(path: str | Path) -> None:
    """Raise unless a picture can be written to `path`: a suffix that matplotlib knows, in a folder that is there."""
    from matplotlib.backend_bases import FigureCanvasBase

    path = Path(path)
    known = sorted(FigureCanvasBase.get_supported_filetypes())
    if path.suffix and path.suffix.removeprefix(".").lower() not in known:
        raise ValueError(f"{path}: pictures end in {', '.join('.' + kind for kind in known)}")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}")
    check_replaceable(path)


def _short(name: str) -> str:
    """What tells a long name from others is at its end."""
    return name if len(name) <= 24 else f"…{name[-23:]}"
