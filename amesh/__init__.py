"""Attention Mesh in PyTorch: 478 3-D face landmarks, trainable, exportable, in real time."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from amesh.version import __version__ as __version__

if TYPE_CHECKING:
    from amesh.errors import UserError
    from amesh.face_mesh import FaceMesh
    from amesh.geometry.roi import Roi
    from amesh.nn.attention_mesh import AttentionMesh
    from amesh.nn.config import MeshConfig, RegionConfig
    from amesh.nn.output import MeshOutput
    from amesh.pipeline.face_pipeline import Face
    from amesh.pipeline.images import read_image
    from amesh.weights.store import load

_PUBLIC = {
    "AttentionMesh": "amesh.nn.attention_mesh",
    "Face": "amesh.pipeline.face_pipeline",
    "FaceMesh": "amesh.face_mesh",
    "MeshConfig": "amesh.nn.config",
    "MeshOutput": "amesh.nn.output",
    "RegionConfig": "amesh.nn.config",
    "Roi": "amesh.geometry.roi",
    "UserError": "amesh.errors",
    "load": "amesh.weights.store",
    "read_image": "amesh.pipeline.images",
}

__all__ = [  # noqa: RUF022 - the networks first
    "AttentionMesh",
    "MeshConfig",
    "RegionConfig",
    "MeshOutput",
    "load",
    "FaceMesh",
    "Face",
    "Roi",
    "read_image",
    "UserError",
]


def __getattr__(name: str) -> Any:
    # Lazy, so that `import amesh` costs nothing and `amesh --help` answers at once.
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'amesh' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
