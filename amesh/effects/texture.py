"""The texture of a face: `unwrap` takes it off a picture, `paint` puts it on a face.

Convention
    A texture is square; landmark i lies at `canonical_face().uv[i]` times its side, from the top
    left corner. RGBA, uint8; alpha is 255 where the picture shows the face, 0 where the face hides
    itself or leaves the picture, and beside the face.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Int32, Shaped, UInt8

from amesh.effects.canonical import canonical_face
from amesh.effects.landmarks import as_face
from amesh.effects.pictures import as_picture
from amesh.errors import UserError

_BITS = 4  # of fractions of pixels, as OpenCV's polygons take them
_MARGIN = 4  # [texels] around the face: smaller copies of a texture mix neighbours
# A point is hidden if the face is nearer by more than this share of its size. Irises may lie a bit
# behind the filled eyes.
_DEPTH = 0.05


def unwrap(
    image: Shaped[np.ndarray, "..."], landmarks: Float[np.ndarray, "..."], size: int = 1024
) -> UInt8[np.ndarray, "size size 4"]:
    """Takes the texture off a face.

    Where alpha is 0 on the face, the colours are those of what hides it.

    Args:
        image: RGB, uint8 (h, w, 3).
        landmarks: Of one face (478, 3) [image px].
        size: Side of the texture [texels]; about 2.5 times the face keeps each pixel.

    Raises:
        UserError: The picture is not RGB and uint8, the landmarks are not those of one face or
            outside the picture, or the size is not 16 to 8192.

    Examples:
        >>> from amesh.topology import load
        >>> image = np.full((240, 320, 3), 128, np.uint8)
        >>> unwrap(image, load().template * 100 + (160, 120, 0), 256).shape
        (256, 256, 4)
    """
    if not 16 <= size <= 8192:
        raise UserError(f"the size of a texture is {size}; expected 16 to 8192")
    face, canonical = as_face(landmarks), canonical_face()
    crop, corner = _crop(as_picture(image), face)
    face = face - (*corner, 0)
    texels = canonical.uv * size
    triangles = canonical.triangles
    ids = _drawn(texels, triangles, size, size, _MARGIN)
    on_face = _drawn(texels, triangles, size, size) >= 0
    places = _carried(ids, texels, triangles, face)
    x, y, z = places.transpose(2, 0, 1)
    colours = cv2.remap(
        crop,
        (x - 0.5).astype(np.float32),
        (y - 0.5).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    height, width = crop.shape[:2]
    seen = _facing(face, triangles)
    shown = _drawn(face, triangles[seen], width, height)
    nearest = _carried(shown, face, triangles[seen], face)[..., 2]
    nearest[shown < 0] = np.inf  # nothing hides what reaches over the outline
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    at = y.clip(0, height - 1).astype(np.intp), x.clip(0, width - 1).astype(np.intp)
    visible = on_face & inside & seen[ids] & (z <= nearest[at] + _DEPTH * _size(face))
    texture = np.dstack([colours, np.where(visible, 255, 0).astype(np.uint8)])
    texture[ids < 0] = 0
    return texture


def paint(
    image: Shaped[np.ndarray, "..."],
    texture: Shaped[np.ndarray, "..."],
    landmarks: Float[np.ndarray, "..."],
) -> UInt8[np.ndarray, "h w 3"]:
    """Puts a texture on a face of a picture, where the texture is opaque and the face visible.

    Args:
        image: RGB, uint8 (h, w, 3).
        texture: RGB or RGBA, uint8 (s, s, 3) or (s, s, 4).
        landmarks: Of one face (478, 3) [image px].

    Returns:
        A picture of its own; pixels beside the face keep their values.

    Raises:
        UserError: As for `unwrap`.

    Examples:
        >>> from amesh.topology import load
        >>> image = np.zeros((240, 320, 3), np.uint8)
        >>> red = np.full((64, 64, 3), (255, 0, 0), np.uint8)
        >>> paint(image, red, load().template * 100 + (160, 120, 0))[120, 160].tolist()
        [255, 0, 0]
    """
    face, canonical = as_face(landmarks), canonical_face()
    result = as_picture(image).copy()
    texture = as_picture(texture, 3, 4)
    size = texture.shape[0]
    if texture.shape[1] != size:
        raise UserError(f"a texture is square, found {texture.shape}")
    if texture.shape[2] == 3:
        texture = np.dstack([texture, np.full((size, size), 255, np.uint8)])
    crop, corner = _crop(result, face)  # a view of the result
    face = face - (*corner, 0)
    triangles = canonical.triangles[_facing(face, canonical.triangles)]
    ids = _drawn(face, triangles, crop.shape[1], crop.shape[0])
    u, v = _carried(ids, face, triangles, canonical.uv * size - 0.5).transpose(2, 0, 1)
    painted = cv2.remap(
        texture,
        u.astype(np.float32),
        v.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    cover = np.where(ids >= 0, painted[..., 3], 0)[..., None] / 255
    crop[...] = np.rint(crop + cover * (painted[..., :3].astype(np.float64) - crop))
    return result


def _size(face: Float64[np.ndarray, "478 3"]) -> float:
    return float(np.ptp(face[:, :2], axis=0).max())


def _crop(
    image: UInt8[np.ndarray, "h w c"], face: Float64[np.ndarray, "478 3"]
) -> tuple[UInt8[np.ndarray, "r s c"], tuple[int, int]]:
    """The part of a picture around a face, and its corner (x, y)."""
    height, width = image.shape[:2]
    x, y = (int(v) for v in np.floor(face[:, :2].min(axis=0) - 1).clip(0, (width, height)))
    right, bottom = (int(v) for v in np.ceil(face[:, :2].max(axis=0) + 1).clip(0, (width, height)))
    if right <= x or bottom <= y:
        raise UserError(f"the face is outside the picture of {width} x {height} px")
    return image[y:bottom, x:right], (x, y)


def _facing(
    face: Float64[np.ndarray, "478 3"], triangles: Int[np.ndarray, "t 3"]
) -> Bool[np.ndarray, " t"]:
    """Which triangles show their outside: y points down, so they turn the other way here."""
    a, b, c = face[triangles, :2].swapaxes(0, 1)
    (ux, uy), (vx, vy) = (b - a).T, (c - a).T
    return np.asarray(ux * vy < uy * vx)


def _drawn(
    places: Float64[np.ndarray, "478 d"],
    triangles: Int[np.ndarray, "t 3"],
    width: int,
    height: int,
    margin: int = 0,
) -> Int32[np.ndarray, "height width"]:
    """The number of the triangle at each pixel, the nearest one; -1 where there is none.

    Args:
        places: Of the landmarks [px], with z if they hide each other.
        triangles: What to draw.
        width: Of the result.
        height: Of the result.
        margin: Also draw this far around the triangles [px].
    """
    ids = np.full((height, width), -1, np.int32)
    corners = np.rint((places[triangles, :2] - 0.5) * 2**_BITS).astype(np.int32)
    depth = places[triangles, 2].mean(axis=1) if places.shape[1] == 3 else np.zeros(len(triangles))
    order = np.argsort(-depth, kind="stable").tolist()
    if margin:
        for number in order:
            cv2.polylines(ids, [corners[number]], True, number, 2 * margin + 1, cv2.LINE_8, _BITS)
    for number in order:
        cv2.fillConvexPoly(ids, corners[number], number, cv2.LINE_8, _BITS)
    return ids


def _carried(
    ids: Int32[np.ndarray, "h w"],
    places: Float64[np.ndarray, "478 d"],
    triangles: Int[np.ndarray, "t 3"],
    values: Float64[np.ndarray, "478 e"],
) -> Float64[np.ndarray, "h w e"]:
    """Values of landmarks, interpolated over the triangles; 0 where there is none.

    Pixels just beside a triangle, on the line around it, take the value of its edge.
    """
    y, x = np.nonzero(ids >= 0)
    numbers = ids[y, x]
    a, b, c = places[triangles, :2].swapaxes(0, 1)
    (ux, uy), (vx, vy) = (b - a).T, (c - a).T
    area = ux * vy - uy * vx
    area[area == 0] = np.inf  # a line: all pixels take the value of its first corner
    dx, dy = np.stack([x + 0.5, y + 0.5]) - a[numbers].T
    second = (dx * vy[numbers] - dy * vx[numbers]) / area[numbers]
    third = (dy * ux[numbers] - dx * uy[numbers]) / area[numbers]
    shares = np.stack([1 - second - third, second, third], axis=1).clip(0)
    shares /= shares.sum(axis=1, keepdims=True)
    result = np.zeros((*ids.shape, values.shape[1]))
    result[y, x] = np.einsum("kc,kcd->kd", shares, values[triangles[numbers]])
    return result
