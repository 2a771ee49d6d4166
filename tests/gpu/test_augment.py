import numpy as np
import pytest
import torch

from amesh.data.augment import Augment
from amesh.data.augment_config import AugmentConfig
from amesh.data.sample import Canvas
from amesh.topology.scheme import load

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]


def test_cpu_and_gpu_agree() -> None:
    topology, count = load(), 16
    y, x = np.mgrid[:300, :320]
    picture = 127.5 + 60 * np.stack([np.sin(x / (9.0 + c)) + np.cos(y / 8.0) for c in range(3)])
    pictures = torch.from_numpy(picture.astype(np.uint8)).expand(count, -1, -1, -1)
    face = topology.template * 80 + np.array([160.0, 130.0, 0.0])
    canvas = Canvas(
        pictures=pictures.contiguous(),
        landmarks=torch.from_numpy(face).float().expand(count, -1, -1).contiguous(),
        weight_xy=torch.rand(count, 478),
        weight_z=torch.rand(count, 478),
        visibility=torch.ones(count, 478),
        face=torch.ones(count),
        index=torch.arange(count),
    )
    augment = Augment(topology, 256, AugmentConfig())
    here = augment(canvas, 1, 1)
    there = augment.cuda()(Canvas(*(tensor.cuda() for tensor in canvas[:-1])), 1, 1)
    torch.testing.assert_close(there.landmarks.cpu(), here.landmarks, rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(there.image.cpu(), here.image, rtol=0, atol=1e-3)
    assert (there.image.cpu() - here.image).abs().mean() < 1e-5
    assert torch.equal(there.weight_xy.cpu(), here.weight_xy)
