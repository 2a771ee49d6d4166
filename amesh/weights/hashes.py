"""Hashes of weights: of the numbers alone, and of everything that a weights file says."""

import hashlib
from collections.abc import Mapping

import numpy as np
from torch import Tensor, nn


def weights_hash(net: nn.Module) -> str:
    """SHA-256 of a network's weights: names, shapes and values, independent of their file."""
    return tensors_hash(net.state_dict())


def tensors_hash(tensors: Mapping[str, Tensor]) -> str:
    """The same hash for tensors by name, as `amesh.weights.store.tensors` reads them."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        values = np.ascontiguousarray(tensor.detach().cpu().numpy())
        digest.update(f"{name} {values.shape} {values.dtype}\n".encode())
        digest.update(values.data)
    return digest.hexdigest()


def checksum(header: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of a weights file's header, as it is written, and of its tensors in float32."""
    return hashlib.sha256(f"{header}\n{tensors_hash(tensors)}".encode()).hexdigest()
