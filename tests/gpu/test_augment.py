from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from amesh.data.augment.config import NO_AUGMENTATION, AugmentConfig
from amesh.data.augment.geometric import Augment
from amesh.data.loading.sample import Canvas
from amesh.topology.scheme import Topology, load

COUNT = 16


@pytest.fixture(scope="module")
def topology() -> Topology:
    return load()


@pytest.fixture(scope="module")
def canvas(topology: Topology) -> Canvas:
    y, x = np.mgrid[:300, :320]
    picture = 127.5 + 60 * np.stack([np.sin(x / (9.0 + c)) + np.cos(y / 8.0) for c in range(3)])
    pictures = torch.from_numpy(picture.astype(np.uint8)).expand(COUNT, -1, -1, -1)
    face = topology.template * 80 + np.array([160.0, 130.0, 0.0])
    return Canvas(
        pictures=pictures.contiguous(memory_format=torch.channels_last),  # as from the loader
        landmarks=torch.from_numpy(face).float().expand(COUNT, -1, -1).contiguous(),
        weight_xy=torch.rand(COUNT, 478),
        weight_z=torch.rand(COUNT, 478),
        visibility=torch.ones(COUNT, 478),
        face=torch.ones(COUNT),
        index=torch.arange(COUNT),
    )


def moved(canvas: Canvas, device: torch.device) -> Canvas:
    return Canvas(*(tensor.to(device) for tensor in canvas[:-1]))


GEOMETRY = replace(
    NO_AUGMENTATION, rotation=25.0, scale=0.2, shift=0.12, perspective=0.08, mirror=0.5
)
ALWAYS = AugmentConfig(occluder_chance=1.0, blur_chance=1.0, compression_chance=1.0, grey=0.5)


@pytest.mark.parametrize("config", [AugmentConfig(), ALWAYS, GEOMETRY, NO_AUGMENTATION])
def test_cpu_and_gpu_agree(
    canvas: Canvas, topology: Topology, device: torch.device, config: AugmentConfig
) -> None:
    augment = Augment(topology, 256, config)
    here = augment(canvas, 1, 1)
    there = augment.to(device)(moved(canvas, device), 1, 1)
    torch.testing.assert_close(there.landmarks.cpu(), here.landmarks, rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(there.image.cpu(), here.image, rtol=0, atol=1e-3)
    assert (there.image.cpu() - here.image).abs().mean() < 1e-5
    assert torch.equal(there.weight_xy.cpu(), here.weight_xy)
    assert torch.equal(there.weight_z.cpu(), here.weight_z)


def test_a_sample_is_the_same_in_any_batch(
    canvas: Canvas, topology: Topology, device: torch.device
) -> None:
    augment, there = Augment(topology, 256).to(device), moved(canvas, device)
    together = augment(there, 5, 2)
    alone = augment(Canvas(*(tensor[3:4] for tensor in there[:-1])), 5, 2)
    torch.testing.assert_close(alone.image[0], together.image[3], rtol=0, atol=1e-5)


def test_augmentation_never_waits_for_the_gpu(
    canvas: Canvas, topology: Topology, cuda: torch.device, unwaiting: Callable[[], object]
) -> None:
    augment, there = Augment(topology, 256, ALWAYS).to(cuda), moved(canvas, cuda)
    augment(there, 0, 0)  # fills what is kept: tiles of noise, transforms
    with unwaiting():
        augment(there, 0, 1)
