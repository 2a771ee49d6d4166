"""Synthetic faces as training data: made once before training, or new ones in every epoch."""

import sys
from dataclasses import dataclass, field

from tqdm import tqdm

from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.source import ListSource
from amesh.errors import UserError
from amesh.nn.network_config import NetworkConfig
from amesh.synth.config import SynthConfig
from amesh.synth.faces import SyntheticFaces
from amesh.synth.write import labelled_faces, make

# Added to the run's seed, so that no face that is trained on is validated on, or is one that
# `amesh synth` makes with a seed as people choose them.
TRAIN_SEED, VAL_SEED = 2_000_003, 1_000_003
# Faces that are made at a time: few, so that a CPU keeps them in its cache.
_AT_ONCE = 8


@dataclass(frozen=True)
class SyntheticData:
    """Synthetic faces, the data that is always available.

    Attributes:
        faces: Synthetic faces in an epoch of training.
        val: Synthetic faces to validate on, other than those.
        fresh: Render new faces in every epoch, on the device that trains; otherwise they are
            rendered once, before training, and only their augmentation changes.
        ranges: Variety of the synthetic faces.
    """

    faces: int = 0
    val: int = 0
    fresh: bool = False
    ranges: SynthConfig = field(default_factory=SynthConfig)

    def __post_init__(self) -> None:
        """Refuses numbers below 0."""
        for name in ("faces", "val"):
            if getattr(self, name) < 0:
                raise UserError(f"data.synthetic: {name} is {getattr(self, name)}, below 0")


def maker(network: NetworkConfig, ranges: SynthConfig) -> SyntheticFaces:
    """What makes faces for a network: in pictures so large that its crops are not enlarged much."""
    return SyntheticFaces(network.load_topology(), network.input_size * 4 // 3, ranges)


def pool(network: NetworkConfig, ranges: SynthConfig, count: int, seed: int) -> ListSource:
    """Makes faces and keeps them in memory, encoded.

    Args:
        network: For whose input.
        ranges: How varied they are.
        count: How many.
        seed: Other seeds make other faces.
    """
    faces = maker(network, ranges)
    found: list[LabelledFace] = []
    with tqdm(total=count, desc="synthetic faces", disable=not sys.stderr.isatty()) as bar:
        for start in range(0, count, _AT_ONCE):
            numbers = list(range(start, min(start + _AT_ONCE, count)))
            found += labelled_faces(
                make(faces, seed, numbers), network.load_topology(), ranges, seed
            )
            bar.update(len(numbers))
    return ListSource("synthetic faces", found)
