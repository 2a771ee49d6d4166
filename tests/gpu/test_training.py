"""Training on the GPU: nothing waits, a step can be a graph, half precision learns, NCCL works."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from amesh.data.loading.sample import Batch
from amesh.nn.config import NAMED
from amesh.nn.template import template_in_crop

pytest.importorskip("pytorch_lightning")

from amesh.losses.reduction import averaged
from amesh.training import speed
from amesh.training.module import LandmarkTraining
from amesh.training.optimiser import build

SMALL = replace(NAMED["tiny-128"], depth=0)


def faces(device: torch.device, count: int = 4) -> Batch:
    """Mean faces, shifted, on patterns that say by how much."""
    config = NAMED["tiny-128"]
    shift = torch.linspace(-10, 10, count)[:, None, None]
    landmarks = template_in_crop(config).repeat(count, 1, 1)
    landmarks[..., :2] += shift
    steps = torch.arange(128.0)
    waves = torch.sin((steps[None, :] + steps[:, None]) / 9.0 - shift)  # count 128 128
    image = 0.5 + 0.4 * waves[:, None] * torch.tensor([1.0, -1.0, 0.5])[:, None, None]
    ones = torch.ones(count, 478)
    batch = Batch(image, landmarks, ones, ones, torch.ones(count), torch.arange(count))
    return Batch(*(tensor.to(device) for tensor in batch))


def test_a_step_never_waits_for_the_gpu(
    cuda: torch.device, unwaiting: Callable[[], object]
) -> None:
    module, batch = LandmarkTraining(network=SMALL).to(cuda), faces(cuda)
    optimiser, _ = build(module.net.parameters(), module.optimiser, 10)

    def step(ideal: bool) -> None:
        optimiser.zero_grad()
        loss, logged, _ = module._losses(batch, ideal)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.net.parameters(), 20.0)
        optimiser.step()
        averaged({"loss": loss, **logged})

    for ideal in (True, False):
        step(ideal)
    with unwaiting():
        for ideal in (True, False):
            step(ideal)


def test_a_step_as_a_cuda_graph_is_the_same_step(cuda: torch.device) -> None:
    batch, weights = faces(cuda), []
    for as_graph in (False, True):
        torch.manual_seed(0)
        module = LandmarkTraining(network=SMALL).to(cuda)
        # A loss to capture needs no schedule: the truth's crops are made outside.
        optimiser = torch.optim.SGD(module.net.parameters(), lr=1e-4)

        def step(module: LandmarkTraining = module, optimiser=optimiser) -> None:
            optimiser.zero_grad(set_to_none=False)
            output = module.net(batch.image)
            (output.landmarks - batch.landmarks).square().mean().backward()
            optimiser.step()

        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                step()
        torch.cuda.current_stream().wait_stream(side)
        if as_graph:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                step()
            for _ in range(5):  # capturing runs nothing
                graph.replay()
        else:
            for _ in range(5):
                step()
        weights.append(torch.cat([p.detach().flatten() for p in module.net.parameters()]))
    torch.testing.assert_close(weights[1], weights[0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("bf16", [False, True])
def test_four_faces_are_overfitted(device: torch.device, bf16: bool) -> None:
    torch.manual_seed(0)
    module, batch = LandmarkTraining(network=SMALL, bf16=bf16).to(device), faces(device)
    optimiser = torch.optim.AdamW(module.net.parameters(), lr=3e-3)
    losses = []
    for step in range(160):
        optimiser.param_groups[0]["lr"] = 3e-3 * (1 - step / 160)
        optimiser.zero_grad()
        loss, _, _ = module._losses(batch, ideal=False)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.net.parameters(), 20.0)
        optimiser.step()
        losses.append(loss.item())
    assert all(map(math.isfinite, losses))
    assert losses[-1] < 0.35 * losses[0]  # on a CPU: 0.21 in either precision


def test_one_rank_of_ddp_steps_as_none(run_python: Callable[[str], str], device: torch.device):
    backend = "nccl" if device.type == "cuda" else "gloo"
    code = f"""
import os
import torch
from dataclasses import replace
from torch import distributed
from torch.nn.parallel import DistributedDataParallel
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.config import NAMED

os.environ |= {{"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29517"}}
torch.set_num_threads(1)
distributed.init_process_group("{backend}", rank=0, world_size=1)
small = replace(NAMED["tiny-128"], depth=0)
found = []
for parallel in (False, True):
    torch.manual_seed(0)
    net = AttentionMesh(small).to("{device}")
    image = torch.rand(4, 3, 128, 128).to("{device}")
    called = DistributedDataParallel(net) if parallel else net
    out = called(image)
    (out.landmarks.square().mean() + out.face_flag.sum() + out.mesh.mean()).backward()
    found.append(torch.cat([p.grad.flatten() for p in net.parameters()]))
print(float((found[0] - found[1]).abs().max() / found[0].abs().max()))
distributed.destroy_process_group()
"""
    assert float(run_python(code).split()[-1]) < 1e-4


def test_the_benchmark_runs(device: torch.device) -> None:
    module = LandmarkTraining(network=SMALL)
    batch = faces(torch.device("cpu"))

    def prepare(loaded: Batch) -> Batch:
        return Batch(*(tensor.to(device) for tensor in loaded))

    found = speed.measure(module, [batch], prepare, device, rounds=1, batches=2, warm_up=1)
    assert found.step > 0
    assert (found.cores is None) == (device.type == "cuda")
