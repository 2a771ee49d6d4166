"""Assigns samples to batches as a function of (seed, epoch, batch), without other state.

The batches do not depend on the number of ranks: rank r of w with batch size b gets the r-th part
of the batch of a single rank with batch size b w.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Sampler

from amesh.data.random import permutation
from amesh.errors import UserError


class EpochBatchSampler(Sampler[list[int]]):
    """Yields the batches of an epoch as lists of sample numbers, starting at any batch.

    It is its own `sampler`, because Lightning calls `.sampler.set_epoch`.
    """

    def __init__(
        self,
        length: int | Sequence[tuple[int, int]],
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        shuffle: bool = True,
        drop_last: bool = True,
        repeat: bool = False,
    ) -> None:
        """Initialises the sampler of one rank.

        Args:
            length: Number of samples. For several concatenated sources: the number of samples of
                each, and the number that an epoch uses. If that is less, each epoch chooses other
                samples; if it is more, sample i is repeated under the numbers i + n, i + 2 n and
                so on, where n is the number of all samples.
            batch_size: Batch size of this rank.
            seed: Seed of the order.
            rank: Index of this process, from 0.
            world: Number of processes.
            shuffle: Whether each epoch has a new order.
            drop_last: Whether to leave out samples that do not fill a batch of all ranks;
                otherwise, the batch is padded with numbers ~i: sample i, which must not count.
            repeat: Whether every epoch has the batches of epoch 0.

        Raises:
            UserError: There is no sample, or there are too few for one batch of all ranks.
        """
        together = batch_size * world
        self.groups = [(length, length)] if isinstance(length, int) else list(length)
        self.samples = sum(size for size, _ in self.groups)
        length = sum(taken for _, taken in self.groups)
        if length < 1:
            raise UserError("no samples: the data set is empty")
        if length < world or (drop_last and length < together):
            ranks, fewer = (f" on {world} ranks", ", or use fewer ranks") if world > 1 else ("", "")
            raise UserError(
                f"{length} samples are too few for batches of {batch_size}{ranks}: at least "
                f"{together if drop_last else world} are needed; reduce data.batch_size{fewer}"
            )
        self.length, self.batch_size, self.seed = length, batch_size, seed
        self.rank, self.world = rank, world
        self.shuffle, self.drop_last, self.repeat = shuffle, drop_last, repeat
        self.epoch, self.done = 0, 0
        self.sampler = self

    @property
    def total(self) -> int:
        """Number of batches of a whole epoch."""
        together = self.batch_size * self.world
        return self.length // together if self.drop_last else -(-self.length // together)

    def __len__(self) -> int:
        """Returns the number of batches of a whole epoch, even after resuming within one."""
        return self.total

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch; keeps the position within it if it is the current one."""
        if epoch != self.epoch:
            self.epoch, self.done = epoch, 0

    def state_dict(self, epoch: int, done: int) -> dict[str, Any]:
        """Returns the state to store in a checkpoint.

        Args:
            epoch: The current epoch.
            done: Number of its batches that were trained on. The sampler cannot know it, because
                workers prefetch batches.
        """
        if done >= self.total:
            epoch, done = epoch + 1, 0
        return {"epoch": epoch, "done": done, **self._identity()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resumes from a checkpoint.

        Raises:
            UserError: It was written within an epoch with other data, another seed or another
                total batch, so the epoch cannot be resumed exactly.
        """
        for key, here in self._identity().items():
            if state.get(key) != here and state["done"]:
                before = f"with {key} = {state[key]}" if key in state else f"and does not say {key}"
                raise UserError(
                    f"the checkpoint was written within an epoch {before}, "
                    f"now it is {here}: the epoch cannot be resumed exactly; use the same data, "
                    "seed and total batch, or a checkpoint from the end of an epoch"
                )
        self.epoch, self.done = int(state["epoch"]), int(state["done"])

    def _identity(self) -> dict[str, Any]:
        return {
            "samples": self.samples,
            "samples_of_an_epoch": self.length,
            # The size of each source, and the number of its samples in an epoch.
            "groups": [list(group) for group in self.groups],
            "seed": self.seed,
            "total_batch": self.batch_size * self.world,
        }

    def __iter__(self) -> Iterator[list[int]]:
        start, self.done = self.done, 0
        order = self._order()
        for number in range(start, self.total):
            first = (number * self.world + self.rank) * self.batch_size
            yield order[first : first + self.batch_size].tolist()

    @property
    def _drawn(self) -> int:
        """The epoch that determines the samples and their order."""
        return 0 if self.repeat else self.epoch

    def _chosen(self) -> Tensor:
        """Returns the samples of this epoch, source by source."""
        chosen, start = [], 0
        for size, taken in self.groups:
            rounds = torch.arange(taken) // max(size, 1)
            place = torch.arange(taken) % max(size, 1)
            if taken % max(size, 1):
                # The samples that occur once more than the others change with the epoch.
                place = permutation(self.seed + 1, self._drawn, size)[place]
            chosen.append(start + place + rounds * self.samples)
            start += size
        return torch.cat(chosen)

    def _order(self) -> Tensor:
        order = self._chosen()
        if self.shuffle:
            order = order[permutation(self.seed, self._drawn, self.length)]
        missing = self.total * self.batch_size * self.world - self.length
        if missing > 0:
            order = torch.cat([order, ~order[torch.arange(missing) % self.length]])
        return order
