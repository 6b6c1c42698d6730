"""What weights may train through on their way to codes, and what acts at every update of such a training."""

from nncomp.hooks import Hook, Timed
from nncomp.transforms import (
    A2Q,
    LSQ,
    PARQ,
    TQT,
    TTQ,
    TWN,
    XNOR,
    BinaryConnect,
    BinaryRelax,
    DoReFa,
    FakeQuantize,
    Relaxed,
    TrainedDSQ,
    TrainedEWGS,
)

Scaled = LSQ | TQT | TrainedEWGS | TrainedDSQ
Through = FakeQuantize | Scaled | DoReFa | BinaryConnect | XNOR | TWN | TTQ | A2Q | BinaryRelax | PARQ


def companions(through: Through | None) -> tuple[Hook, ...]:
    """The hooks without which training through a transform is not what its paper says.

    >>> companions(LSQ()), [type(hook).__name__ for hook in companions(PARQ())]
    ((), ['Timed'])
    """
    return (Timed(),) if isinstance(through, Relaxed) else ()
