import numpy as np
import pytest
import torch
from torch import nn

from amesh.blazeface.config import SHORT
from amesh.blazeface.network import DetectorOutput
from amesh.detector_runner import DetectorRunner, TorchDetector
from amesh.errors import UserError


class Watching(nn.Module):
    """Remembers what it sees, and on how many threads."""

    config = SHORT

    def forward(self, image: torch.Tensor) -> DetectorOutput:
        self.image, self.threads = image, torch.get_num_threads()
        return DetectorOutput(torch.ones(1, 896, 16), torch.zeros(1, 896))


def test_pytorch_sees_the_picture_from_0_to_1_on_one_thread():
    torch.set_num_threads(2)
    square = np.zeros((128, 128, 3), np.uint8)
    square[3, 5] = (255, 51, 0)
    net = Watching()
    detector = TorchDetector(net)
    assert isinstance(detector, DetectorRunner)
    answer = detector(square)
    assert answer.boxes.shape == (896, 16)
    assert answer.scores.shape == (896,)
    np.testing.assert_allclose(net.image[0, :, 3, 5], [1, 0.2, 0], atol=1e-7)
    assert net.image.shape == (1, 3, 128, 128)
    assert net.threads == 1
    assert torch.get_num_threads() == 2


def test_another_network_is_no_detector():
    with pytest.raises(UserError, match="Linear is not a face detector"):
        TorchDetector(nn.Linear(1, 1))
