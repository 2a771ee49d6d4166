"""The terms of the loss of one batch, by name."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from amesh.data.loading.sample import Batch
from amesh.geometry.picking import pick
from amesh.losses.config import LossConfig
from amesh.losses.points import expected_error_term, face_size, theta_term, xy_term, z_term
from amesh.losses.reduction import Weighted
from amesh.nn.network_config import NetworkConfig
from amesh.nn.output import MeshOutput
from amesh.nn.template import template_in_crop


def batch_terms(
    output: MeshOutput,
    batch: Batch,
    true_thetas: Float[Tensor, "b r 2 3"],
    theta_weight: Float[Tensor, "b r"],
    network: NetworkConfig,
    config: LossConfig,
) -> dict[str, Weighted]:
    """Computes the terms: `mesh`, each region's outputs, `z`, `theta` (with regions), `face`.

    Networks that predict their errors have `expected_error`, too.

    Args:
        output: Output of the network.
        batch: Ground truth. Samples without a face have a flag but no point weights.
        true_thetas: Crops of the regions by the ground truth.
        theta_weight: Weights of the crops: 0 if the region is not completely labelled, or if its
            crop was given to the network instead of predicted.
        network: Determines which landmarks are predicted.
        config: Settings of the loss.
    """
    batch = counted(batch)
    size = sizes(batch, network)
    rows = network.mesh_indices
    truth = pick(batch.landmarks, rows)
    weight_xy, weight_z = pick(batch.weight_xy, rows), pick(batch.weight_z, rows)
    terms = {"mesh": xy_term(output.mesh[..., :2], truth[..., :2], weight_xy, size, config)}
    for name, indices in network.outputs.items():
        if name in output.regions:
            xy, weight = pick(batch.landmarks, indices)[..., :2], pick(batch.weight_xy, indices)
            terms[name] = xy_term(output.regions[name], xy, weight, size, config)
    terms["z"] = z_term(output.mesh[..., 2], truth[..., 2], weight_z, size, config)
    if output.regions:
        terms["theta"] = theta_term(
            output.thetas, true_thetas, theta_weight, size, network.input_size, config
        )
    flag = F.binary_cross_entropy_with_logits(output.face_flag, batch.face, reduction="none")
    counts = (batch.index >= 0).to(flag)
    terms["face"] = Weighted((flag * counts).sum(), counts.sum())
    if output.expected_error is not None:
        found, known = output.landmarks[..., :2], batch.landmarks[..., :2]
        terms["expected_error"] = expected_error_term(
            output.expected_error, found, known, batch.weight_xy, size, config
        )
    return terms


def counted(batch: Batch) -> Batch:
    """Sets the weights of padding samples (index below 0) to 0."""
    real = (batch.index >= 0).to(batch.weight_xy)[:, None]
    return batch._replace(weight_xy=batch.weight_xy * real, weight_z=batch.weight_z * real)


def sizes(batch: Batch, network: NetworkConfig) -> Float[Tensor, " b"]:
    """Returns the size of each face [px]; see `amesh.losses.points.face_size`."""
    anchors = network.load_topology().anchors
    first, second = anchors
    template = template_in_crop(network)[0]
    usual = float((template[second] - template[first]).norm())
    return face_size(batch.landmarks, batch.weight_xy, batch.weight_z, anchors, usual)
