"""Attention Mesh in PyTorch: 478 3-D face landmarks, trainable, exportable, in real time."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from amesh.version import __version__ as __version__

if TYPE_CHECKING:
    from amesh.deploy.export import export
    from amesh.effects.blendshapes import Blendshapes
    from amesh.effects.camera import Camera
    from amesh.effects.drawing import draw_gaze, draw_pose
    from amesh.effects.eye_tracker import EyeTracker
    from amesh.effects.eyes import Eyes, eyes
    from amesh.effects.head_pose import Pose, head_pose
    from amesh.effects.mesh_file import write_mesh
    from amesh.errors import UserError
    from amesh.evaluation.run import evaluate
    from amesh.face_mesh import FaceMesh
    from amesh.face_tracker import FaceTracker, Frame, track
    from amesh.geometry.roi import Roi
    from amesh.nn.attention_mesh import AttentionMesh
    from amesh.nn.config import MeshConfig, RegionConfig
    from amesh.nn.output import MeshOutput
    from amesh.pipeline.draw import draw_faces
    from amesh.pipeline.face_pipeline import Face
    from amesh.pipeline.images import read_image
    from amesh.pipeline.smoothing import OneEuro
    from amesh.topology import load as load_topology
    from amesh.weights.store import load

_PUBLIC = {
    "AttentionMesh": ("amesh.nn.attention_mesh", "AttentionMesh"),
    "Blendshapes": ("amesh.effects.blendshapes", "Blendshapes"),
    "Camera": ("amesh.effects.camera", "Camera"),
    "EyeTracker": ("amesh.effects.eye_tracker", "EyeTracker"),
    "Eyes": ("amesh.effects.eyes", "Eyes"),
    "Face": ("amesh.pipeline.face_pipeline", "Face"),
    "FaceMesh": ("amesh.face_mesh", "FaceMesh"),
    "FaceTracker": ("amesh.face_tracker", "FaceTracker"),
    "Frame": ("amesh.face_tracker", "Frame"),
    "MeshConfig": ("amesh.nn.config", "MeshConfig"),
    "MeshOutput": ("amesh.nn.output", "MeshOutput"),
    "OneEuro": ("amesh.pipeline.smoothing", "OneEuro"),
    "RegionConfig": ("amesh.nn.config", "RegionConfig"),
    "Pose": ("amesh.effects.head_pose", "Pose"),
    "Roi": ("amesh.geometry.roi", "Roi"),
    "UserError": ("amesh.errors", "UserError"),
    "draw_faces": ("amesh.pipeline.draw", "draw_faces"),
    "draw_gaze": ("amesh.effects.drawing", "draw_gaze"),
    "draw_pose": ("amesh.effects.drawing", "draw_pose"),
    "evaluate": ("amesh.evaluation.run", "evaluate"),
    "export": ("amesh.deploy.export", "export"),
    "eyes": ("amesh.effects.eyes", "eyes"),
    "head_pose": ("amesh.effects.head_pose", "head_pose"),
    "load": ("amesh.weights.store", "load"),
    "load_topology": ("amesh.topology", "load"),
    "read_image": ("amesh.pipeline.images", "read_image"),
    "track": ("amesh.face_tracker", "track"),
    "write_mesh": ("amesh.effects.mesh_file", "write_mesh"),
}

__all__ = [  # noqa: RUF022 - in the order in which people meet them
    "FaceMesh",
    "Face",
    "Roi",
    "FaceTracker",
    "OneEuro",
    "track",
    "Frame",
    "read_image",
    "draw_faces",
    "head_pose",
    "Pose",
    "eyes",
    "Eyes",
    "EyeTracker",
    "Camera",
    "draw_pose",
    "draw_gaze",
    "Blendshapes",
    "write_mesh",
    "load",
    "load_topology",
    "evaluate",
    "export",
    "AttentionMesh",
    "MeshConfig",
    "RegionConfig",
    "MeshOutput",
    "UserError",
]


def __getattr__(name: str) -> Any:
    # Lazy, so that `import amesh` costs nothing and `amesh --help` answers at once.
    if name in _PUBLIC:
        module, attribute = _PUBLIC[name]
        return getattr(import_module(module), attribute)
    raise AttributeError(f"module 'amesh' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
