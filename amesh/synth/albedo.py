"""Estimates the albedo of faces, that is, their colour without lighting, on the flat map.

A picture's brightness is divided by a smooth function of the surface normal (spherical harmonics
of second order) that is fitted to the skin; the rest is assumed to be the colour of the surface.
"""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from amesh.synth.texture_map import flatten, texels
from amesh.topology import Topology

# Sides of the maps of a mode's brightness, of its hue, and of the mean [texels].
FINE, COARSE, MEAN = 112, 28, 160
MODES = 56
_ROUNDS = 2
_DARKEST = 0.004  # linear brightness; anything below is noise


class Unwrapper:
    """Collects the colours of faces on the flat map."""

    def __init__(self, topology: Topology, side: int = MEAN) -> None:
        self.topology, self.side = topology, side
        self.triangles = topology.triangles
        found = texels(flatten(topology), self.triangles, side)
        self.valid = found.triangle >= 0
        self.corners = self.triangles[found.triangle[self.valid]]  # m 3
        self.shares = found.weights[self.valid]
        self.skin = self._skin()
        self.colours: list[Float[np.ndarray, "m 3"]] = []
        self.facing: list[Float[np.ndarray, " m"]] = []
        self.normals: list[Float[np.ndarray, "m 3"]] = []

    def add(
        self,
        pixels: UInt8[np.ndarray, "h w 3"],
        points: Float[np.ndarray, "n 3"],
        turn: Float[np.ndarray, "3 3"],
        scale: float,
    ) -> None:
        """Adds one face.

        Args:
            pixels: Its picture.
            points: Its landmarks [px].
            turn: Rotation of the head; unused, for callers that keep it with the scale.
            scale: Scale of the head [px per unit].
        """
        del turn
        # Blur the picture to the resolution of the map.
        blur = max(scale * 1.6 / self.side, 1e-3)
        if blur > 1.5:
            pixels = cv2.GaussianBlur(pixels, (0, 0), 0.4 * blur)
        place = (points[self.corners] * self.shares[..., None]).sum(1)
        normal = vertex_normals(points.astype(np.float64), self.triangles)
        normal = (normal[self.corners] * self.shares[..., None]).sum(1)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True).clip(1e-9)
        at = (place[:, :2] - 0.5).astype(np.float32)[None]
        linear = (pixels.astype(np.float32) / 255.0) ** 2.2
        seen = cv2.remap(
            linear, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )[0]
        inside = (place[:, 0] > 0) & (place[:, 0] < pixels.shape[1])
        inside &= (place[:, 1] > 0) & (place[:, 1] < pixels.shape[0])
        self.colours.append(seen.astype(np.float16))
        self.facing.append((np.clip(-normal[:, 2] - 0.15, 0, 0.5) * 2 * inside).astype(np.float16))
        self.normals.append(normal.astype(np.float16))

    def mirror(self, values: Float[np.ndarray, "m c"]) -> Float[np.ndarray, "m c"]:
        """Returns the texels of the mirrored face: the map is symmetric, so columns are swapped."""
        image = np.zeros((self.side, self.side, values.shape[1]), values.dtype)
        image[self.valid] = values
        known = np.zeros((self.side, self.side), bool)
        known[self.valid] = True
        both = known[:, ::-1]
        image = np.where(both[..., None], image[:, ::-1], image)
        return image[self.valid]

    def image(self, values: Float[np.ndarray, "m c"]) -> Float[np.ndarray, "t t c"]:
        """Returns a map, extrapolated beyond its border for interpolation."""
        image = np.zeros((self.side, self.side, values.shape[1]), np.float64)
        image[self.valid] = values
        weight = self.valid.astype(np.float64)
        for _ in range(12):
            total = cv2.blur(image * weight[..., None], (3, 3))
            total = total.reshape(image.shape)
            count = cv2.blur(weight, (3, 3))
            new = (weight == 0) & (count > 1e-9)
            image[new] = total[new] / count[new][:, None]
            weight[new] = 1.0
        return image

    def _skin(self) -> np.ndarray:
        """Returns which texels are plain skin: away from lips, brows, eyes and nostrils."""
        flat = flatten(self.topology) * self.side
        mask = np.zeros((self.side, self.side), np.uint8)
        for name, lines in self.topology.contours.items():
            if name != "face_oval" and "iris" not in name:
                for line in lines:
                    at = np.round(flat[list(line)]).astype(np.int32)
                    cv2.polylines(mask, [at], False, 1, max(self.side // 24, 1))
        plain: np.ndarray = mask[self.valid] == 0
        return plain


def vertex_normals(
    points: Float[np.ndarray, "n 3"], triangles: np.ndarray
) -> Float[np.ndarray, "n 3"]:
    """Returns outward unit normals (towards a camera in front of the face: z is negative)."""
    corners = points[triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(points)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], faces)
    return np.asarray(normals / np.linalg.norm(normals, axis=1, keepdims=True).clip(1e-12))


def harmonics(normal: Float[np.ndarray, "m 3"]) -> Float[np.ndarray, "m 9"]:
    """Returns unscaled spherical harmonics up to the second order."""
    x, y, z = normal.T
    one = np.ones_like(x)
    return np.stack([one, x, y, z, x * y, y * z, x * z, x * x - y * y, 3 * z * z - 1], 1)


def colour_modes(faces: Unwrapper) -> dict[str, np.ndarray]:
    """Computes the mean and the principal modes of log colour.

    Returns:
        `colour_mean` (3, MEAN, MEAN); `colour_fine` (k, FINE, FINE) and `colour_coarse`
        (k, 2, COARSE, COARSE): brightness and hue of each mode at one standard deviation;
        `colour_rest` (1, FINE, FINE): standard deviation of the detail that the modes leave out;
        `colour_explained`: share of the variance that the modes explain.
    """
    count, texels_of_map = len(faces.colours), int(faces.valid.sum())
    average = np.ones(texels_of_map)
    logs = np.zeros((count, texels_of_map, 3), np.float32)
    mean_colour, centre = np.zeros((texels_of_map, 3)), np.zeros(3)
    for round_ in range(_ROUNDS):
        for i in range(count):
            colour = np.maximum(faces.colours[i].astype(np.float64), _DARKEST)
            brightness = colour @ np.array([0.3, 0.6, 0.1])
            light = _light(faces, i, brightness, average)
            albedo = np.log(colour) - np.log(light)[:, None]
            facing = faces.facing[i].astype(np.float64)[:, None]
            other = faces.mirror(np.concatenate([albedo, facing], 1))
            share = (facing + 0.02) / (facing + 0.02 + other[:, 3:] * (1 - facing))
            whole = share * albedo + (1 - share) * other[:, :3]
            # A texel that neither half of the face shows gets the face's mean colour.
            sure = np.minimum((facing + other[:, 3:] * (1 - facing)) / 0.5, 1.0)
            middle = whole[faces.skin & (sure[:, 0] > 0.8)].mean(0) if (sure > 0.8).any() else 0.0
            logs[i] = mean_colour + sure * (whole - mean_colour) + (1 - sure) * (middle - centre)
        mean = logs.mean(0, dtype=np.float64)
        mean = (mean + faces.mirror(mean)) / 2
        if round_ < _ROUNDS - 1:
            bright = np.exp(mean) @ np.array([0.3, 0.6, 0.1])
            average = bright / np.median(bright[faces.skin])
            mean_colour, centre = mean, mean[faces.skin].mean(0)
    small = [_shrink(faces, logs[i] - mean) for i in range(count)]
    fine, coarse = (np.stack(part) for part in zip(*small, strict=True))
    rows = np.concatenate([fine.reshape(count, -1), 4.0 * coarse.reshape(count, -1)], 1)
    # With few faces and many texels, compute the modes from the Gram matrix of the faces.
    values, vectors = np.linalg.eigh((rows @ rows.T).astype(np.float64))
    kept = min(MODES, count)
    values, vectors = values[::-1][:kept].clip(1e-12), vectors[:, ::-1][:, :kept]
    modes = (vectors / np.sqrt(values)).T.astype(np.float32) @ rows  # k m, unit length
    rest = rows - (rows @ modes.T) @ modes
    modes *= np.sqrt(values / count)[:, None].astype(np.float32)
    split = FINE * FINE
    return {
        "colour_mean": faces.image(mean).transpose(2, 0, 1),
        "colour_fine": modes[:, :split].reshape(kept, FINE, FINE),
        "colour_coarse": modes[:, split:].reshape(kept, 2, COARSE, COARSE) / 4.0,
        "colour_rest": rest[:, :split].std(0).reshape(1, FINE, FINE),
        "colour_explained": np.array([1 - float((rest**2).sum() / (rows**2).sum())]),
    }


def _light(
    faces: Unwrapper,
    number: int,
    brightness: Float[np.ndarray, " m"],
    average: Float[np.ndarray, " m"],
) -> Float[np.ndarray, " m"]:
    """Returns the brightness of the light at each texel; its median over the skin is 1."""
    basis = harmonics(faces.normals[number].astype(np.float64))
    weight = faces.facing[number].astype(np.float64) * faces.skin
    target = brightness / average
    level = float(np.median(target[weight > 0.3])) if (weight > 0.3).any() else 1.0
    ridge = 0.01 * weight.sum() * np.diag([0, 1, 1, 1, 2, 2, 2, 2, 2]) + 1e-6 * np.eye(9)
    for _ in range(3):  # reweighting, because strands of hair and highlights are outliers
        normal = basis.T @ (basis * weight[:, None]) + ridge
        fit = basis @ np.linalg.solve(normal, basis.T @ (weight * target))
        off = np.abs(target - fit) / (0.25 * level)
        weight = faces.facing[number].astype(np.float64) * faces.skin / (1 + off**2)
    fit = fit.clip(0.25 * level, 3.0 * level)
    return np.asarray(fit / np.median(fit[faces.skin]))


def _shrink(
    faces: Unwrapper, values: Float[np.ndarray, "m 3"]
) -> tuple[Float[np.ndarray, "f f"], Float[np.ndarray, "2 c c"]]:
    """Returns maps of brightness and hue of one face; hue is red and blue minus green."""
    image = faces.image(values)
    bright = image @ np.array([0.3, 0.6, 0.1])
    hue = np.stack([image[..., 0] - image[..., 1], image[..., 2] - image[..., 1]], -1)
    fine = cv2.resize(bright, (FINE, FINE), interpolation=cv2.INTER_AREA)
    coarse = cv2.resize(hue, (COARSE, COARSE), interpolation=cv2.INTER_AREA)
    return fine.astype(np.float32), coarse.transpose(2, 0, 1).astype(np.float32)
