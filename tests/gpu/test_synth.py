import torch

from amesh.synth.faces import SyntheticFaces
from amesh.topology import load


def test_cpu_and_gpu_make_the_same_faces(device: torch.device) -> None:
    topology, index = load(), torch.arange(12)
    ours = SyntheticFaces(topology, 256)(5, 1, index)
    theirs = SyntheticFaces(topology, 256).to(device)(5, 1, index.to(device))
    torch.testing.assert_close(theirs.landmarks.cpu(), ours.landmarks, rtol=1e-5, atol=256 * 1e-5)
    assert (theirs.visibility.cpu() != ours.visibility).float().mean() < 0.002
    apart = (theirs.pictures.cpu().int() - ours.pictures.int()).abs()
    assert (apart > 3).float().mean() < 0.005


def test_a_face_does_not_depend_on_its_batch(device: torch.device) -> None:
    faces = SyntheticFaces(load(), 128).to(device)
    index = torch.arange(5, device=device)
    together = faces(5, 1, index)
    for i in range(5):
        alone = faces(5, 1, index[i : i + 1])
        torch.testing.assert_close(alone.landmarks[0], together.landmarks[i], rtol=1e-5, atol=1e-3)
        apart = (alone.pictures[0].int() - together.pictures[i].int()).abs()
        assert (apart > 2).float().mean() < 0.001
