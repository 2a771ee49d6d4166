"""AdamW with a warm-up and a cosine: the optimiser of every configuration."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from amesh.errors import UserError


@dataclass(frozen=True)
class OptimiserConfig:
    """Optimiser and learning rate.

    Attributes:
        learning_rate: Highest learning rate, after the warm-up.
        weight_decay: Weight decay of kernels; biases, slopes and norms have none.
        betas: Decay rates of AdamW's two moments.
        warm_up: Share of the steps in which the learning rate rises from near 0.
        least_warm_up: Least number of steps for the rise. A run that is shorter than twice as many
            steps rises no faster, and turns back halfway, below the highest rate.
        final: Learning rate at the end, as a share of the highest.
    """

    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    warm_up: float = 0.03
    least_warm_up: int = 0
    final: float = 0.01

    def __post_init__(self) -> None:
        """Refuses what does not train."""
        if not self.learning_rate > 0:
            raise UserError(f"optimiser: learning_rate is {self.learning_rate}, not above 0")
        if not 0 <= self.warm_up < 1:
            raise UserError(f"optimiser: warm_up is {self.warm_up}; a share is from 0 to below 1")
        if self.least_warm_up < 0:
            raise UserError(f"optimiser: least_warm_up is {self.least_warm_up} steps, below 0")

    def factor(self, step: int, steps: int) -> float:
        """The learning rate at a step, as a share of the highest."""
        rise = round(self.warm_up * steps)
        peak = 1.0
        if rise < self.least_warm_up:
            rise = min(self.least_warm_up, (steps + 1) // 2)
            peak = rise / self.least_warm_up
        if step < rise:
            return peak * (step + 1) / rise
        done = min(1.0, (step - rise) / max(1, steps - rise))
        return peak * (self.final + (1 - self.final) * (1 + math.cos(math.pi * done)) / 2)


def build(
    parameters: Iterable[nn.Parameter], config: OptimiserConfig, steps: int
) -> tuple[AdamW, LambdaLR]:
    """The optimiser of the parameters that are not frozen, and its schedule over `steps`.

    Raises:
        UserError: All are frozen.
    """
    trained = [p for p in parameters if p.requires_grad]
    if not trained:
        raise UserError("every part of the network is frozen: nothing to train")
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimiser = AdamW(
        [group for group in groups if group["params"]],
        lr=config.learning_rate,
        betas=config.betas,
        fused=True,  # one call for all weights: on a CPU too this takes a sixth of the time
    )
    return optimiser, LambdaLR(optimiser, lambda step: config.factor(step, steps))
