"""Small networks of every kind, with weights that make every part matter, and their export.

Run as a script in an interpreter of its own: the jaxtyping hook gets in the way of torch's export.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from amesh.deploy.network.cascade_parts import take_part
from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.blocks import PointHead
from amesh.nn.cascade import Cascade
from amesh.nn.config import MeshConfig, RegionConfig
from amesh.nn.error_head import ErrorHead
from amesh.nn.mesh_only import MeshOnly
from amesh.nn.plain_config import PlainConfig
from amesh.nn.plain_mesh import PlainMesh
from amesh.weights import store

SMALL: dict[str, Any] = {
    "input_size": 64,
    "crop_size": 8,
    "widths": (16, 16, 32, 32, 32, 32),
    "depth": 1,
    "head_width": 16,
    "regions": {
        name: RegionConfig((16, 32, 32), 1, 16) for name in ("lips", "right_eye", "left_eye")
    },
}


def networks() -> dict[str, nn.Module]:
    """By name; the same whenever they are made."""
    torch.manual_seed(0)
    unlike = {**SMALL["regions"], "lips": RegionConfig((16, 16, 16), 1, 16)}
    nets: dict[str, nn.Module] = {
        "paper": AttentionMesh(MeshConfig(name="paper", **SMALL)),
        "released": AttentionMesh(
            MeshConfig(name="released", mesh_irises=False, error_width=8, **SMALL)
        ),
        "normed": AttentionMesh(MeshConfig(name="normed", batch_norm=True, **SMALL)),
        # Whatever keeps regions from being treated together: capacity, rule, sampler.
        "soft": AttentionMesh(
            MeshConfig(
                name="soft",
                theta_rule="corners",
                sampler="gaussian",
                error_width=8,
                **{**SMALL, "regions": unlike},
            )
        ),
        "regressed": AttentionMesh(MeshConfig(name="regressed", crop_source="regressed", **SMALL)),
        "mesh_only": MeshOnly(MeshConfig(name="mesh_only", error_width=8, **SMALL)),
        "cascade": Cascade(MeshConfig(name="cascade", error_width=8, **SMALL)),
        "plain": PlainMesh(
            PlainConfig("plain", input_size=128, widths=(8, 8, 16, 16, 16, 16, 16), depth=1)
        ),
    }
    return {name: shake(net).eval() for name, net in nets.items()}


@torch.no_grad()
def shake(net: nn.Module) -> nn.Module:
    """Moves a fresh network away from the mean face; slopes on both sides of 0 and of 1."""
    for module in net.modules():
        if isinstance(module, nn.PReLU):
            module.weight.uniform_(-1.0, 1.5)
        if isinstance(module, PointHead):
            module.points.weight.mul_(2)
        if isinstance(module, ErrorHead):
            module.errors.weight.mul_(10)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(0, 0.2)
    return net


class Wave(nn.Module):
    """An activation that is on no list."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(x)


def main(folder: Path) -> None:
    """Writes weights, and ONNX files named NETWORK-PRECISION-BATCH."""
    from amesh.deploy.onnx.export import export_onnx
    from amesh.deploy.onnx.picture import export_onnx_picture

    nets = networks()
    for name, net in nets.items():
        store.save(net, folder / f"{name}.safetensors", {})
    cascade = nets["cascade"]
    nets |= {f"cascade.{part}": take_part(cascade, part) for part in ("mesh", "right_eye")}
    # An export takes seconds: each of these shows several things.
    for name, precision, batch, target in (
        ("released", "fp32", None, "cpu"),
        ("released", "fp32", 2, "gpu"),
        ("cascade", "fp16", None, None),
        ("soft", "fp32", None, None),
        ("cascade.mesh", "fp32", None, None),
        ("cascade.right_eye", "fp32", 2, None),
        ("plain", "fp32", None, None),
    ):
        # The tests compare them, at tolerances of their own: these weights are wild.
        content = export_onnx(nets[name], precision, batch, target, verify=False)
        (folder / f"{name}-{precision}-{batch}.onnx").write_bytes(content)
    again = export_onnx(nets["cascade.right_eye"], "fp32", 2)  # compared, this time
    (folder / "again.onnx").write_bytes(again)
    (folder / "picture.onnx").write_bytes(export_onnx_picture(nets["mesh_only"], samples=2))
    content = export_onnx(nets["mesh_only"], byte_input=True)
    (folder / "bytes.onnx").write_bytes(content)
    strange = networks()["mesh_only"]
    strange.shared.stem.activation = Wave()
    try:
        # The exporter's own copy would build a PReLU again: traced as it stands.
        from amesh.deploy.onnx import export as onnx_file

        class Alone(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.net = strange

            def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
                output = self.net(image)
                return output.landmarks, output.face_flag

        shape = {"image": (1, 3, 64, 64)}
        onnx_file.finish(onnx_file.trace(Alone(), shape, ("landmarks", "face_flag")), {})
    except UserError as error:
        (folder / "strange.json").write_text(json.dumps(str(error)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
