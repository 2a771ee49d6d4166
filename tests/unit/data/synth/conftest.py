import pytest
import torch

from amesh.data.sample import Canvas
from amesh.data.synth.faces import SyntheticFaces
from amesh.topology import Topology, load

SIZE = 96


@pytest.fixture(scope="session")
def topology() -> Topology:
    return load()


@pytest.fixture(scope="session")
def faces(topology: Topology) -> SyntheticFaces:
    return SyntheticFaces(topology, SIZE)


@pytest.fixture(scope="session")
def canvas(faces: SyntheticFaces) -> Canvas:
    made: Canvas = faces(7, 2, torch.arange(12))
    return made
