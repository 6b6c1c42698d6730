"""Data for tasks: themselves, or a call that gives them wherever a task runs."""

from collections.abc import Callable

from nncomp.data import Data
from nncomp.fingerprint import fingerprint
from nncomp.network import MLP

Source = Data | Callable[[], Data]
"""Data, which travel with every task; or what loads them where it runs, as `partial(load_data, "mnist")`."""
_loaded: dict[str, tuple[str, Data]] = {}  # the last one, in each process


def data_of(source: Source, key: str | None = None) -> Data:
    """The data without their test split; a ValueError unless their `key_of` is `key`, where one is given.

    >>> from functools import partial
    >>> from nncomp.data import load_data
    >>> len(data_of(partial(load_data, "digits")).train)
    1137
    """
    if isinstance(source, Data):
        return source.without_test()
    called = fingerprint(source)
    if called not in _loaded:
        data = source().without_test()
        _loaded.clear()
        _loaded[called] = key_of(data), data
    found, data = _loaded[called]
    if key is not None and found != key:
        raise ValueError(f"a worker loads other data of the name {data.name!r} than the process that sent it the task")
    return data


def key_of(data: Data) -> str:
    """What tells the splits of one from those of another that is not the same.

    >>> import numpy as np
    >>> data = Data.of(np.eye(4, dtype=np.float32), np.arange(4), validation=1)
    >>> key_of(data) == key_of(Data(data.train, data.validation))
    True
    """
    return fingerprint(data.train, data.validation)


def case_of(network: MLP, key: str) -> str:
    """What tells a network on the data of this `key_of` from another network, and from the same on other data.

    >>> import numpy as np
    >>> data = Data.of(np.eye(4, dtype=np.float32), np.arange(4), validation=1)
    >>> case_of(MLP.init([4, 4]), key_of(data)) == case_of(MLP.init([4, 4], seed=1), key_of(data))
    False
    """
    return fingerprint(network.fingerprint(), key)
