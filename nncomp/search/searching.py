"""The search for the smallest network that is good enough, over recipes, by Optuna, in generations."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nncomp.fields import check_whole
from nncomp.files import to_bytes
from nncomp.fingerprint import fingerprint
from nncomp.measure import check_fit, network_cost, score
from nncomp.network import MLP
from nncomp.search.executors import Workers
from nncomp.search.found import Found, smallest_within
from nncomp.search.generation import Maker
from nncomp.search.source import Source, data_of, key_of
from nncomp.search.space import Ask, PruneAndShare, Space
from nncomp.search.store import Store
from nncomp.search.trial import Trial, content_of, losses_of
from nncomp.shown import shown

if TYPE_CHECKING:
    import optuna
    from optuna import Study

Watch = Callable[[int, int], object]
"""Told how many trials of how many are done."""


@dataclass(frozen=True, repr=False)
class Search:
    """The smallest network whose score on the validation split is at most `max_drop` below the original's.

    So many `trials` of recipes of the `space` are made in generations of `generation` each: Optuna's TPE, which is
    seeded, is asked for all of a generation, then told of all of it in the same order, file size, score and
    multiply-adds, and whether the drop is within. So the outcome does not depend on who makes which trial, how many
    do, or which ends first; nor on whether the search was stopped. Any network of the front can be taken from the
    folder.

    `caution`: smallest of many that pass, the winner owes part of it to luck: 5,000 samples tell two networks that each
    mistake 1.5 % of them apart by some 0.1 points, no more. So a network passes only where its drop and so many
    standard errors of it, from sample to sample, are within `max_drop` (one: Breiman et al. 1984, section 3.4.3, the
    other way round); 0 takes the figures as they are. The test split has no say; measure it once, on what was chosen.

    >>> import tempfile
    >>> from nncomp.data import load_data
    >>> search = Search(0.05, trials=2, generation=2, space=PruneAndShare(epochs=(1, 1, 1)))
    >>> found = search(MLP.init([64, 8, 10]), load_data("digits"), tempfile.mkdtemp())
    >>> len(found.trials), found.network.sizes
    (2, [64, 8, 10])
    """

    max_drop: float = 0.001
    trials: int = 32
    generation: int = 4
    seed: int = 0
    caution: float = 1.0
    space: Space = PruneAndShare()

    __repr__ = shown

    def __post_init__(self) -> None:
        check_whole(self, trials=1, generation=1, seed=0)
        if not (0 <= self.max_drop < np.inf and 0 <= self.caution < np.inf):
            raise ValueError(f"drop and caution are numbers of at least 0, not {self.max_drop} and {self.caution}")
        if not callable(self.space):
            raise ValueError(f"a space is a PruneAndShare or something like it, not {self.space!r}")

    def __call__(
        self,
        network: MLP,
        data: Source,
        folder: str | Path,
        workers: Workers = Workers(),
        watch: Watch = lambda done, of: None,
    ) -> Found:
        """Search in `folder`, which keeps each trial as it is done; what it holds already is not done again.

        The original is returned where nothing smaller passes. A ValueError where all trials fail, or where the folder
        holds another search; more `trials` and another `max_drop` go on with the same one.
        """
        loaded = data_of(data)
        split = loaded.validation
        check_fit(network, split, loaded.name)
        if len(split) < 2:
            raise ValueError("a drop is estimated on at least two samples of the validation split")
        key, content = key_of(loaded), to_bytes(network)
        told = {"network": network.fingerprint(), "data": key, "seed": self.seed, "space": fingerprint(self.space)}
        store = Store(Path(folder), told)
        store.check()
        ask = self.space(network, data, workers)
        store.claim()
        maker = Maker(content, data, key, split, losses_of(network, split), store, workers)
        trials = self._trials(maker, ask, watch)
        if all(trial.failed for trial in trials):
            raise ValueError(f"all {len(trials)} trials failed, the first of them: {trials[0].failed}")
        size, cost = len(content_of(network)), network_cost(network)
        original = Trial("original", {}, size, cost.multiply_adds, score(network, split))
        chosen = smallest_within([*trials, original], self.max_drop, self.caution) or original
        best = network if chosen is original else store.network(chosen)
        values = bool(np.issubdtype(split.y.dtype, np.floating))
        return Found(best, chosen, original, tuple(trials), loaded.name, values)

    def _trials(self, maker: Maker, ask: Ask, watch: Watch) -> list[Trial]:
        """All of them, in the order they were asked for."""
        trials: list[Trial] = []
        with _study(self.seed, 2 * self.generation) as study:
            while len(trials) < self.trials:
                before, many = len(trials), min(self.generation, self.trials - len(trials))
                asked = [study.ask() for _ in range(many)]
                recipes = [tuple(ask(one, self.seed)) for one in asked]
                made = maker(recipes, [one.params for one in asked], lambda done: watch(before + done, self.trials))  # noqa: B023
                for one, trial in zip(asked, made):
                    self._tell(study, one, trial)
                trials += made
        return trials

    def _tell(self, study: "Study", asked: "optuna.Trial", trial: Trial) -> None:
        from optuna.trial import TrialState

        if trial.failed:
            study.tell(asked, state=TrialState.FAIL)
            return
        asked.set_constraint("drop", trial.drop + self.caution * trial.error - self.max_drop)
        study.tell(asked, [trial.size, -trial.score, trial.multiply_adds])


@contextmanager
def _study(seed: int, startup: int) -> Iterator["Study"]:
    """Optuna's, in memory: what it is asked and told again gives the same again. It keeps quiet meanwhile."""
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=startup)
        yield optuna.create_study(directions=["minimize"] * 3, sampler=sampler)
    finally:
        optuna.logging.set_verbosity(verbosity)
