"""The output of every landmark network."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class MeshOutput(NamedTuple):
    """Landmarks, and the parts that they are assembled from.

    Coordinates are continuous pixels of the network's input; z has the same unit, and smaller is
    nearer to the camera. Exported networks name their outputs after these fields.

    Attributes:
        landmarks: All landmarks: the mesh, with x and y replaced by the regions' where refined.
        face_flag: Logit of the confidence that the crop shows a face.
        mesh: The mesh submodel's own points.
        regions: x and y by region name (`lips`, `right_eye`, `right_iris`, ...).
        thetas: Affine transforms of the regions' crops; see `amesh.geometry.region`.
        expected_error: Distance of each landmark in x and y from its true place that the network
            expects; None where it does not predict it.
    """

    landmarks: Float[Tensor, "b n 3"]
    face_flag: Float[Tensor, " b"]
    mesh: Float[Tensor, "b m 3"]
    regions: dict[str, Float[Tensor, "b k 2"]]
    thetas: Float[Tensor, "b r 2 3"]
    expected_error: Float[Tensor, "b n"] | None = None
