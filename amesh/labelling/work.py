"""Iterates over the pictures and frames of this process's share that are not done yet."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from amesh.data.sources.labelled_folder import skipped
from amesh.errors import UserError
from amesh.labelling.ledger import finished, input_key
from amesh.labelling.output import Opened, open_picture
from amesh.labelling.sources import Input, Share
from amesh.pipeline.images import reading_cost
from amesh.pipeline.video import open_source


class Item(NamedTuple):
    """A picture or frame to label, or what went wrong with it.

    Attributes:
        key: See `amesh.labelling.ledger.input_key`; for a clip that cannot be read, its name.
        source: The input that it comes from.
        frame: RGB pixels of a frame; None for a picture, which is still to be read.
        problem: Why there is nothing to read, in one line.
    """

    key: str
    source: Input
    frame: UInt8[np.ndarray, "h w 3"] | None = None
    problem: str = ""

    def open(self) -> Opened:
        """Reads the picture.

        Raises:
            UserError: There is nothing to read, or it is no picture.
        """
        if self.problem:
            raise UserError(self.problem)
        return open_picture(self.source.path) if self.frame is None else Opened(self.frame)

    def cost(self) -> int:
        """How many pixels `open` will read."""
        still = self.frame is None and not self.problem
        return reading_cost(self.source.path) if still else 0


class Work:
    """The remaining work.

    Attributes:
        before: Pictures and frames that were already done.
        skipped: Pictures, frames and clips that gave no face before, by reason.
        elsewhere: Pictures assigned to other ranks.
    """

    def __init__(
        self,
        inputs: Sequence[Input],
        share: Share,
        every: int,
        folder: Path,
        retry: bool,
        say: Callable[[str], None],
    ) -> None:
        """Reads what earlier runs did.

        Args:
            inputs: The inputs of all ranks.
            share: This rank's share.
            every: Label every N-th frame of a clip.
            folder: Folder of the shards.
            retry: Also retry inputs that gave no face before.
            say: Receives a message for each clip that could only be read in part.

        Raises:
            UserError: An index in the folder is damaged.
        """
        self.inputs, self.share, self.every, self.say = inputs, share, every, say
        self.before = self.elsewhere = 0
        self.skipped: Counter[str] = Counter()
        self._done = finished(folder)
        self._skipped = {} if retry else skipped(folder)

    def __iter__(self) -> Iterator[Item]:
        """Yields the items; on a terminal, a progress bar counts them and those already done."""
        with tqdm(total=self._total(), unit="picture", disable=not sys.stderr.isatty()) as bar:
            for one in self.inputs:
                yield from self._frames(one, bar) if one.video else self._picture(one, bar)

    def _picture(self, one: Input, bar: tqdm) -> Iterator[Item]:
        key = input_key(one.name, 0)
        if not self.share.has(key):
            self.elsewhere += 1
            return
        if not self._is_known(key):
            yield Item(key, one, problem=one.problem)
        bar.update()

    def _frames(self, one: Input, bar: tqdm) -> Iterator[Item]:
        def wanted(frame: int) -> bool:
            if frame % self.every:
                return False
            key = input_key(one.name, frame)
            if not self.share.has(key):
                return False
            bar.update()
            return not self._is_known(key)

        mine = self.share.has(one.name)  # only one rank reports a clip that cannot be read
        if one.name in self._skipped:
            self.skipped["unreadable"] += mine
            return
        try:
            with open_source(one.path, wanted) as clip:
                for frame in clip:
                    yield Item(input_key(one.name, frame.index), one, frame.image)
            if clip.problem and mine:
                self.say(clip.problem)
        except UserError as error:
            if mine:
                yield Item(one.name, one, problem=str(error))

    def _is_known(self, key: str) -> bool:
        if key in self._done:
            self.before += 1
            return True
        if key in self._skipped:
            self.skipped[self._skipped[key].reason] += 1
            return True
        return False

    def _total(self) -> int:
        frames = sum(-(-_frames(one.path) // self.every) for one in self.inputs if one.video)
        keys = (input_key(one.name, 0) for one in self.inputs if not one.video)
        return frames // self.share.ranks + sum(map(self.share.has, keys))


def _frames(clip: Path) -> int:
    """How many frames a clip states; 0 if it states none or cannot be read."""
    try:
        with open_source(clip) as source:
            return source.frames or 0
    except UserError:
        return 0
