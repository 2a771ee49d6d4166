"""Errors that are logged during training, in percent, over all labelled points.

The reported tables come from `amesh.evaluation`.
"""

from jaxtyping import Float
from torch import Tensor

from amesh.data.loading.sample import Batch
from amesh.losses.terms import counted, sizes
from amesh.nn.network_config import NetworkConfig
from amesh.nn.output import MeshOutput

_TINY = 1e-6


def normalised_errors(
    output: MeshOutput, batch: Batch, network: NetworkConfig
) -> dict[str, tuple[Float[Tensor, ""], Float[Tensor, ""]]]:
    """Returns mean errors in x and y, each with its total weight for a running mean.

    `nme` averages all landmarks, relative to the face's size; `nme/REGION` averages that region's
    landmarks and iris, relative to the distance of its anchors (the corners of the lips or the
    eye); `face_accuracy` is the share of correct flags, and `face_logit` the mean flag of faces.
    """
    batch = counted(batch)
    distance = (output.landmarks - batch.landmarks)[..., :2].square().sum(-1).sqrt()
    weight = batch.weight_xy
    distance = distance.where(weight > 0, 0.0)
    size = sizes(batch, network)
    found = {"nme": _mean(100 * distance / size[:, None], weight)}
    for region in network.refined_regions:
        first, second = region.anchors
        line = batch.landmarks[:, second] - batch.landmarks[:, first]
        width = line[:, :2].square().sum(-1).sqrt()
        known = (weight[:, [first, second]].amin(1) > 0) & (width > _TINY)
        rows = [landmark for points in region.outputs.values() for landmark in points]
        error = 100 * distance[:, rows] / width.where(known, 1.0)[:, None]
        found[f"nme/{region.name}"] = _mean(error, weight[:, rows] * known[:, None])
    right = ((output.face_flag > 0) == (batch.face > 0.5)).to(distance)
    counts = (batch.index >= 0).to(distance)
    found["face_accuracy"] = _mean(right, counts)
    found["face_logit"] = _mean(output.face_flag.to(distance), counts * (batch.face > 0.5))
    return found


def face_errors(output: MeshOutput, batch: Batch, network: NetworkConfig) -> Float[Tensor, " b"]:
    """Returns each face's mean error relative to its size [%]; 0 if nothing is labelled."""
    batch = counted(batch)
    distance = (output.landmarks - batch.landmarks)[..., :2].square().sum(-1).sqrt()
    distance = distance.where(batch.weight_xy > 0, 0.0)
    total = batch.weight_xy.sum(1).clamp(min=_TINY)
    return 100 * (distance * batch.weight_xy).sum(1) / total / sizes(batch, network)


def _mean(error: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    total = weight.sum()
    return (error * weight).sum() / total.clamp(min=_TINY), total
