"""Faces as files for 3-D programs: `.glb` (glTF 2.0) and `.obj`, with normals, uv and texture.

Convention
    Files have y up, z towards the viewer and metres, the axes of glTF; landmarks have y down and z
    away. The face keeps its pose in the picture. Its size is that of the canonical face, its origin
    the middle of the rigid landmarks.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Float32, Float64, Shaped

from amesh.effects.canonical import OPENGL, canonical_face
from amesh.effects.landmarks import as_face
from amesh.effects.pictures import as_picture
from amesh.errors import UserError
from amesh.files import write_atomically

_M_PER_MM = 0.001
# Numbers of the glTF 2.0 specification.
_MAGIC, _VERSION, _JSON, _BIN = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
_UINT16, _FLOAT = 5123, 5126
_VERTICES, _INDICES = 34962, 34963


def write_mesh(
    path: str | Path,
    landmarks: Float[np.ndarray, "..."],
    texture: Shaped[np.ndarray, "..."] | None = None,
    shapes: Mapping[str, Float[np.ndarray, "..."]] | None = None,
) -> None:
    """Writes a face for Blender, a browser or a game engine.

    Args:
        path: `.glb` is one file with all in it. `.obj` comes with a `.mtl`, and a `.png` for the
            texture, of the same name.
        landmarks: Of one face (478, 3) [any unit]; x right, y down, z away.
        texture: As `unwrap` makes it, RGB or RGBA, uint8; its transparency is left out.
        shapes: Morph targets by name: how each landmark moves (478, 3), in the unit and axes of
            `landmarks`. For `.glb` only.

    Raises:
        UserError: The name ends otherwise, `.obj` should get shapes, the landmarks or a shape are
            not those of one face, the texture is no square picture, or a file cannot be written.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "face.glb"
        ...     write_mesh(file, canonical_face().points)
        ...     file.read_bytes()[:4]
        b'glTF'
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".glb", ".obj"):
        raise UserError(f"{path}: the name of a mesh ends in .glb or .obj")
    if shapes is not None and not isinstance(shapes, Mapping):
        raise UserError(
            f"shapes are a {type(shapes).__name__}; give a mapping from names to movements, as "
            "morph_targets returns it"
        )
    if suffix == ".obj" and shapes:
        raise UserError(f"{path}: .obj files have no morph targets; write a .glb")
    face = as_face(landmarks)
    middle, scale = _fit(face)
    points = (face - middle) * scale @ OPENGL
    image = None if texture is None else _png(texture)
    if suffix == ".glb":
        moves = {
            name: (_shape(name, move) * scale @ OPENGL).astype(np.float32)
            for name, move in (shapes or {}).items()
        }
        write_atomically(path, _glb(points.astype(np.float32), image, moves))
        return
    if image is not None:
        write_atomically(path.with_suffix(".png"), image)
    write_atomically(path.with_suffix(".mtl"), _mtl(path.stem, image is not None))
    write_atomically(path, _obj(path.stem, points))


def normals(points: Float[np.ndarray, "478 3"]) -> Float64[np.ndarray, "478 3"]:
    """The directions of the surface at its vertices, outwards; unit vectors.

    Each is the mean over the triangles around, by area. Vertices without area look to the viewer.

    Args:
        points: In the axes of files: y up, z towards the viewer.
    """
    triangles = canonical_face().triangles
    a, b, c = points[triangles].swapaxes(0, 1)
    summed = np.zeros((len(points), 3))
    np.add.at(summed, triangles, np.cross(b - a, c - a)[:, None])
    lengths = np.linalg.norm(summed, axis=1)
    flat = lengths <= 1e-12 * max(lengths.max(), 1e-12)
    summed[flat], lengths[flat] = (0, 0, 1), 1
    return np.asarray(summed / lengths[:, None])


def _fit(face: Float64[np.ndarray, "478 3"]) -> tuple[Float64[np.ndarray, " 3"], float]:
    """The middle of the rigid landmarks, and metres per unit."""
    canonical = canonical_face()
    if not np.ptp(face[canonical.rigid], axis=0).any():
        raise UserError("the landmarks lie in one point; there is no face to write")
    middle = face[canonical.rigid].mean(axis=0)
    ours, theirs = (points[canonical.rigid].std(axis=0) for points in (canonical.points, face))
    return middle, float(_M_PER_MM * np.linalg.norm(ours) / np.linalg.norm(theirs))


def _shape(name: str, move: Float[np.ndarray, "..."]) -> Float64[np.ndarray, "478 3"]:
    try:
        return as_face(move)
    except UserError as error:
        raise UserError(f"shape {name}: {error}") from None


def _png(texture: Shaped[np.ndarray, "..."]) -> bytes:
    texture = as_picture(texture, 3, 4)
    if texture.shape[0] != texture.shape[1] or not texture.size:
        raise UserError(f"a texture is square, found {texture.shape}")
    return cv2.imencode(".png", texture[..., 2::-1])[1].tobytes()


def _obj(name: str, points: Float64[np.ndarray, "478 3"]) -> bytes:
    face = canonical_face()
    lines = [f"mtllib {name}.mtl", "o face"]
    lines += ["v {:.7f} {:.7f} {:.7f}".format(*point) for point in points]
    lines += [f"vt {u:.6f} {1 - v:.6f}" for u, v in face.uv]  # v counts from the bottom here
    lines += ["vn {:.5f} {:.5f} {:.5f}".format(*normal) for normal in normals(points)]
    lines += ["usemtl face"]
    lines += [
        "f " + " ".join(f"{n}/{n}/{n}" for n in triangle)
        for triangle in (face.triangles + 1).tolist()
    ]
    return ("\n".join(lines) + "\n").encode()


def _mtl(name: str, textured: bool) -> bytes:
    lines = ["newmtl face", "Kd 1 1 1", "Ks 0 0 0", "illum 1"]
    return ("\n".join([*lines, *[f"map_Kd {name}.png"] * textured]) + "\n").encode()


class _Buffer:
    """The binary part of a glTF file and the tables that describe it."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.views: list[dict[str, int]] = []
        self.accessors: list[dict[str, object]] = []

    def view(self, content: bytes, **entries: int) -> int:
        """Adds bytes; the number of their view."""
        start = len(self.content)
        self.content += content + bytes(-len(content) % 4)  # accessors start at multiples of 4
        self.views.append({"buffer": 0, "byteOffset": start, "byteLength": len(content), **entries})
        return len(self.views) - 1

    def vertices(self, values: Float32[np.ndarray, "n d"], limits: bool = False) -> int:
        """Adds a vector per vertex; the number of its accessor."""
        values = np.ascontiguousarray(values, "<f4")
        entry: dict[str, object] = {
            "bufferView": self.view(values.tobytes(), target=_VERTICES),
            "componentType": _FLOAT,
            "count": len(values),
            "type": f"VEC{values.shape[1]}",
        }
        if limits:  # asked of positions
            entry |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        self.accessors.append(entry)
        return len(self.accessors) - 1

    def indices(self, values: np.ndarray) -> int:
        """Adds numbers of vertices; the number of their accessor."""
        view = self.view(values.astype("<u2").tobytes(), target=_INDICES)
        self.accessors.append(
            {"bufferView": view, "componentType": _UINT16, "count": values.size, "type": "SCALAR"}
        )
        return len(self.accessors) - 1


def _glb(
    points: Float32[np.ndarray, "478 3"],
    image: bytes | None,
    shapes: Mapping[str, Float32[np.ndarray, "478 3"]],
) -> bytes:
    face, buffer = canonical_face(), _Buffer()
    primitive: dict[str, object] = {
        "attributes": {
            "POSITION": buffer.vertices(points, limits=True),
            "NORMAL": buffer.vertices(normals(points).astype(np.float32)),
            "TEXCOORD_0": buffer.vertices(face.uv.astype(np.float32)),
        },
        "indices": buffer.indices(face.triangles),
        "material": 0,
    }
    mesh: dict[str, object] = {"name": "face", "primitives": [primitive]}
    if shapes:
        targets = [{"POSITION": buffer.vertices(move, limits=True)} for move in shapes.values()]
        primitive["targets"] = targets
        mesh["weights"] = [0.0] * len(shapes)
        mesh["extras"] = {"targetNames": list(shapes)}  # where Blender and three.js look for names
    surface: dict[str, object] = {"metallicFactor": 0, "roughnessFactor": 1}
    document: dict[str, object] = {
        "asset": {"version": "2.0", "generator": "amesh"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "face", "mesh": 0}],
        "meshes": [mesh],
        "materials": [{"name": "face", "pbrMetallicRoughness": surface, "doubleSided": True}],
    }
    if image is not None:
        document["images"] = [{"bufferView": buffer.view(image), "mimeType": "image/png"}]
        document["textures"] = [{"source": 0}]
        surface["baseColorTexture"] = {"index": 0}
    document |= {
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.content)}],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), _JSON) + text
    chunks += struct.pack("<II", len(buffer.content), _BIN) + bytes(buffer.content)
    return struct.pack("<III", _MAGIC, _VERSION, 12 + len(chunks)) + chunks
