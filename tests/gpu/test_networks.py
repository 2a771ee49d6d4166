"""Networks on the GPU say what they say on the CPU, in px of their input."""

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.cascade import Cascade
from amesh.nn.config import NAMED
from amesh.nn.mesh_only import MeshOnly
from amesh.nn.output import MeshOutput

# How far a landmark may lie from the CPU's [px].
TOLERANCE = {"fp32": 0.001, "fp16": 0.05, "bf16": 0.5}
BUILDS: dict[str, Callable[[], nn.Module]] = {
    "paper-256": lambda: AttentionMesh(NAMED["paper-256"]),
    "released-192": lambda: AttentionMesh(NAMED["released-192"]),
    "MeshOnly": lambda: MeshOnly(NAMED["paper-256"]),
    "Cascade": lambda: Cascade(NAMED["paper-256"]),
}


def lively(net: nn.Module) -> nn.Module:
    """Random weights whose landmarks differ from picture to picture, by a few tenths of a px."""
    for name, parameter in net.named_parameters():
        if name.endswith("points.weight"):
            parameter.data.mul_(2)
    return net.eval()


def sized(crops: torch.Tensor, net: nn.Module) -> torch.Tensor:
    size = net.config.input_size
    return F.interpolate(crops, size=(size, size), mode="bilinear", align_corners=False)


def distances(output: MeshOutput, reference: MeshOutput) -> torch.Tensor:
    return (output.landmarks.cpu() - reference.landmarks).norm(dim=-1)


@pytest.mark.parametrize("precision", TOLERANCE)
@pytest.mark.parametrize("name", BUILDS)
def test_parity_with_the_cpu(
    device: torch.device, exact: None, crops: torch.Tensor, name: str, precision: str
) -> None:
    parts = pytest.importorskip("amesh.training.parts")
    net = lively(BUILDS[name]())
    image = sized(crops, net)
    there = deepcopy(net).to(device)
    if precision != "fp32":
        parts.half_trunks(there, {"fp16": torch.float16, "bf16": torch.bfloat16}[precision])
    with torch.no_grad():
        reference, output = net(image), there(image.to(device))
    spread = (reference.landmarks - reference.landmarks.mean(0)).norm(dim=-1).mean()
    assert spread > 0.1, "the network says the same of every picture"
    assert distances(output, reference).max() < TOLERANCE[precision]
    assert output.landmarks.dtype == torch.float32


@pytest.mark.weights
def test_the_released_weights(
    device: torch.device, exact: None, crops: torch.Tensor, released: nn.Module
) -> None:
    image = sized(crops, released)
    with torch.no_grad():
        reference, output = released(image), deepcopy(released).to(device)(image.to(device))
    assert distances(output, reference).max() < 1e-3


def test_a_compiled_network_is_the_same(run_python: Callable[[str], str], cuda: torch.device):
    """In a process without the checks of shapes; a CPU would compile for minutes."""
    code = f"""
import torch
from dataclasses import replace
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.config import NAMED

torch.manual_seed(0)
torch.set_num_threads(1)
torch.backends.cudnn.allow_tf32 = False
small = replace(NAMED["tiny-128"], depth=0)
net = AttentionMesh(small).to("{cuda}")
image = torch.rand(4, 3, 128, 128, device="{cuda}")
plain = net(image)
plain.landmarks.square().mean().backward()
gradients = {{n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}}
net.zero_grad()
net.compile()
compiled = net(image)
compiled.landmarks.square().mean().backward()
print(float((compiled.landmarks - plain.landmarks).detach().abs().max()))
again = dict(net.named_parameters())
print(max(float((again[n].grad - g).norm() / (g.norm() + 1e-6)) for n, g in gradients.items()))
"""
    moved, gradients = map(float, run_python(code).split())
    assert moved < 1e-3
    assert gradients < 1e-2
