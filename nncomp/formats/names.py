"""The formats that have a name, as files and recipes write them."""

from nncomp.formats import block_scaled, codebook, floats, gguf, two_scales
from nncomp.formats.format import Format

NAMES: dict[str, Format] = {
    name: value
    for module in (floats, block_scaled, two_scales, codebook, gguf)
    for name, value in vars(module).items()
    if isinstance(value, Format)
}


def name_of(format: Format) -> str | None:
    """The name of a format; None for one of one's own.

    >>> name_of(gguf.q4_0), name_of(codebook.Codebook((0.0, 1.0)))
    ('q4_0', None)
    """
    return next((name for name, value in NAMES.items() if value == format), None)
