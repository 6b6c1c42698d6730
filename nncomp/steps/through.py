"""What weights may train through on their way to codes, and what acts at every update of such a training."""

from nncomp.hooks import Hook, Penalized, Timed
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


def companions(through: Through | None, samples: int) -> tuple[Hook, ...]:
    """The hooks without which training through a transform on so many `samples` is not what its paper says.

    >>> companions(LSQ(), 50), [type(hook).__name__ for hook in companions(PARQ(), 50)], companions(A2Q(), 50)
    ((), ['Timed'], (Penalized(samples=50),))
    """
    match through:
        case Relaxed():
            return (Timed(),)
        case A2Q():
            return (Penalized(samples),)
    return ()
