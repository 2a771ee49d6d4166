from collections.abc import Callable

import numpy as np
import pytest
from labelled_pictures import Pose

from amesh.topology.scheme import Topology


@pytest.fixture
def labels(topology: Topology, pose: Pose) -> Callable[..., np.ndarray]:
    """Labels of a scheme, read off a face [corner coordinates]."""

    def make(scheme: str, depth: bool = False) -> np.ndarray:
        return topology.map_points(pose(), scheme)[:, : 3 if depth else 2]

    return make
