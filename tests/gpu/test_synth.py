import pytest
import torch

from amesh.data.synth.faces import SyntheticFaces
from amesh.topology import load


@pytest.mark.gpu
def test_cpu_and_gpu_make_the_same_faces() -> None:
    topology, index = load(), torch.arange(12)
    ours = SyntheticFaces(topology, 256)(5, 1, index)
    theirs = SyntheticFaces(topology, 256).cuda()(5, 1, index.cuda())
    torch.testing.assert_close(theirs.landmarks.cpu(), ours.landmarks, rtol=1e-5, atol=256 * 1e-5)
    assert (theirs.visibility.cpu() != ours.visibility).float().mean() < 0.002
    apart = (theirs.pictures.cpu().int() - ours.pictures.int()).abs()
    assert (apart > 3).float().mean() < 0.005
