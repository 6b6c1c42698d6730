"""What the losses ask of the arrays they are given, and that what they return is finite."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

from nncomp.losses import check_finite

P = ParamSpec("P")
R = TypeVar("R", bound=tuple[Any, ...])


def finite(loss: Callable[P, R]) -> Callable[P, R]:
    """The same loss, which raises where it or a gradient leaves its dtype's range, instead of returning infinity.

    float16 is computed in float32: sums of squares and numbers of pairs are soon too large for it.
    """

    @wraps(loss)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        student = args[0] if args else kwargs["student"]
        half = isinstance(student, np.ndarray) and student.dtype == np.float16
        taken = _single if half else _plain
        with np.errstate(all="ignore"):
            result = loss(*map(taken, args), **{name: taken(a) for name, a in kwargs.items()})
            result = _halved(result) if half else result
        value, dstudent, *dparams = result
        if not all(np.isfinite(part).all() for part in (value, dstudent, *(d for ds in dparams for d in ds))):
            arrays = [a for a in (*args, *kwargs.values()) if isinstance(a, np.ndarray) and a.size]
            shapes = ", ".join(str(a.shape) for a in arrays)
            raise ValueError(
                f"{loss.__name__} or its gradient is not finite in {dstudent.dtype} on arrays of shapes {shapes} and "
                f"values up to {max(float(np.abs(a).max()) for a in arrays):g}"
            )
        return result

    return checked


def _plain(setting: Any) -> Any:
    """A number of NumPy's, such as a schedule gives, as Python's: it would make float64 of float32 arrays."""
    return setting.item() if isinstance(setting, np.generic) else setting


def _single(setting: Any) -> Any:
    half = isinstance(setting, np.ndarray) and setting.dtype == np.float16
    return setting.astype(np.float32) if half else _plain(setting)


def _halved(part: Any) -> Any:
    """The gradients, however they are nested, in float16."""
    if isinstance(part, tuple):
        return tuple(map(_halved, part))
    return part.astype(np.float16) if isinstance(part, np.ndarray) else part


def check_logits(student: np.ndarray, teacher: np.ndarray) -> None:
    """Raise unless both are finite logits (batch, classes) of one shape, not empty."""
    if student.shape != teacher.shape or student.ndim != 2 or student.size == 0:
        raise ValueError(
            f"logits of student {student.shape} and teacher {teacher.shape} are one shape (batch, classes), not empty"
        )
    check_finite("student", student)
    check_finite("teacher", teacher)


def check_features(student: np.ndarray, teacher: np.ndarray, same: bool = False, batch: int = 1) -> None:
    """Raise unless both are finite features (batch, width) of one batch, if `same` of one width, not empty.

    `batch` is how many samples it takes at least.
    """
    of_one_batch = student.ndim == teacher.ndim == 2 and len(student) == len(teacher)
    if not of_one_batch or 0 in (*student.shape, *teacher.shape) or (same and student.shape != teacher.shape):
        raise ValueError(
            f"features of student {student.shape} and teacher {teacher.shape} are (batch, width) of one batch"
            f"{' and one width' if same else ''}, not empty"
        )
    check_finite("student", student)
    check_finite("teacher", teacher)
    if len(student) < batch:
        raise ValueError(f"relations are between at least {batch} samples, not {len(student)}: {student.shape}")


def check_params(dtype: np.dtype, **params: tuple[np.ndarray, tuple[int, ...]]) -> None:
    """Raise unless each array that trains is finite, of the student's dtype and of the shape beside it."""
    for name, (array, shape) in params.items():
        if array.shape != shape or array.dtype != dtype or array.size == 0:
            raise ValueError(f"{name} is {dtype} of shape {shape}, not empty, not {array.dtype} of shape {array.shape}")
        check_finite(name, array)


def check_positive(**settings: float) -> None:
    """Raise unless every setting is a finite number above 0."""
    for name, value in settings.items():
        if not 0 < value < np.inf:
            raise ValueError(f"{name} is positive and finite, not {value}")


def check_weights(**weights: float) -> None:
    """Raise unless every weight of a term is a finite number of at least 0."""
    for name, value in weights.items():
        if not 0 <= value < np.inf:
            raise ValueError(f"the weight {name} is finite and at least 0, not {value}")
