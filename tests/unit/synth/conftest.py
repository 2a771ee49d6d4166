import pytest
import torch
from labelled_pictures import pose, record, source  # noqa: F401

from amesh.data.loading.sample import Canvas
from amesh.synth.faces import SyntheticFaces
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
