"""Which samples make up which batch: addressed by (seed, epoch, batch), never by what came before.

Worlds of one and of many ranks see the same batches: rank r of w with batch size b takes the r-th
part of what one rank with batch size b w would get.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Sampler

from amesh.data.random import permutation
from amesh.errors import UserError


class EpochBatchSampler(Sampler[list[int]]):
    """Batches of sample numbers of one epoch, from any batch on.

    Lightning looks for `.sampler.set_epoch`, and the batch sampler is its own sampler.
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
        """Prepares for one rank.

        Args:
            length: Number of samples. Or, for each of several sources that lie one after the
                other, its number of samples and how many of them an epoch takes: fewer are
                chosen anew in every epoch; more, and some come again as number i + the number of
                all samples, or i + twice that, and so on.
            batch_size: Of this rank.
            seed: Of the order.
            rank: This process, from 0.
            world: Number of processes.
            shuffle: A new order in every epoch.
            drop_last: Leave out what does not fill a batch of all ranks; otherwise it is filled
                up with numbers ~i, copies of sample i that must not be counted.
            repeat: Every epoch has the batches of epoch 0.

        Raises:
            UserError: No sample, or more ranks than samples.
        """
        together = batch_size * world
        self.groups = [(length, length)] if isinstance(length, int) else list(length)
        self.samples = sum(size for size, _ in self.groups)
        length = sum(taken for _, taken in self.groups)
        if length < 1:
            raise UserError("no samples: the data set is empty")
        if length < world or (drop_last and length < together):
            ranks = "1 rank" if world == 1 else f"{world} ranks"
            raise UserError(
                f"{length} samples are too few for {ranks} with batches of {batch_size}: "
                f"{together if drop_last else world} are needed; set data.batch_size lower, or use "
                "fewer ranks"
            )
        self.length, self.batch_size, self.seed = length, batch_size, seed
        self.rank, self.world = rank, world
        self.shuffle, self.drop_last, self.repeat = shuffle, drop_last, repeat
        self.epoch, self.done = 0, 0
        self.sampler = self

    @property
    def total(self) -> int:
        """Batches of a whole epoch."""
        together = self.batch_size * self.world
        return self.length // together if self.drop_last else -(-self.length // together)

    def __len__(self) -> int:
        """Batches of a whole epoch, also where it goes on in the middle: Lightning counts them."""
        return self.total

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch; a place in the middle is kept if it is in this one."""
        if epoch != self.epoch:
            self.epoch, self.done = epoch, 0

    def state_dict(self, epoch: int, done: int) -> dict[str, Any]:
        """What a checkpoint keeps.

        Args:
            epoch: The current one.
            done: Batches that were trained on in it. This object does not know: workers fetch
                ahead of the training.
        """
        if done >= self.total:
            epoch, done = epoch + 1, 0
        return {"epoch": epoch, "done": done, **self._identity()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where a checkpoint was made.

        Raises:
            UserError: It was made with other data, another seed or another batch of all ranks,
                and the epoch cannot go on exactly.
        """
        for key, here in self._identity().items():
            if state.get(key) != here and state["done"]:
                before = f"with {key} = {state[key]}" if key in state else f"and does not say {key}"
                raise UserError(
                    f"the checkpoint was made in the middle of an epoch {before}, "
                    f"now it is {here}: the epoch cannot go on exactly; use the same data, seed "
                    "and total batch, or a checkpoint from the end of an epoch"
                )
        self.epoch, self.done = int(state["epoch"]), int(state["done"])

    def _identity(self) -> dict[str, Any]:
        return {
            "samples": self.samples,
            "samples_of_an_epoch": self.length,
            # Size of each source, and how many of its samples an epoch takes.
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
        """The epoch whose samples and order these are."""
        return 0 if self.repeat else self.epoch

    def _chosen(self) -> Tensor:
        """The samples of this epoch, source by source."""
        chosen, start = [], 0
        for size, taken in self.groups:
            rounds = torch.arange(taken) // max(size, 1)
            place = torch.arange(taken) % max(size, 1)
            if taken % max(size, 1):
                # Which of them come once more than the others changes from epoch to epoch.
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
