"""How sets of predictions are compared: with which reference, and by which bootstrap."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from amesh.metrics.bootstrap import Interval, mean_interval, paired_change

FEW = 10  # faces: a row measured on fewer is marked, because it shows little


@dataclass(frozen=True)
class Comparison:
    """How sets of predictions are compared.

    Attributes:
        reference: Name of the set that the others are compared with.
        resamples: Number of bootstrap resamples.
        seed: Seed of the bootstrap; the same seed draws the same faces for every set.
    """

    reference: str
    resamples: int
    seed: int

    def mean(
        self, values: Float[np.ndarray, " n"], people: Int[np.ndarray, " n"] | None = None
    ) -> Interval:
        """The mean and its interval."""
        return mean_interval(values, people, resamples=self.resamples, seed=self.seed)

    def change(
        self,
        new: Float[np.ndarray, " n"],
        old: Float[np.ndarray, " n"],
        people: Int[np.ndarray, " n"] | None = None,
    ) -> Interval:
        """The change of the mean on the same faces, and its interval [%]."""
        return paired_change(new, old, people, resamples=self.resamples, seed=self.seed)
