"""Hashes of weights: of the numbers alone, and of everything that a weights file says."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor, nn


def weights_hash(net: "nn.Module") -> str:
    """SHA-256 of a network's weights: names, shapes and values, independent of their file."""
    return tensors_hash(in_numpy(net.state_dict()))


def in_numpy(tensors: Mapping[str, "Tensor"]) -> dict[str, np.ndarray]:
    """Tensors of PyTorch as arrays; bfloat16, which NumPy does not have, becomes float32."""
    return {name: _array(tensor.detach().cpu().contiguous()) for name, tensor in tensors.items()}


def tensors_hash(tensors: Mapping[str, np.ndarray]) -> str:
    """The same hash for tensors by name, as `amesh.weights.store.tensors` reads them."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        values = np.ascontiguousarray(tensor)
        digest.update(f"{name} {values.shape} {values.dtype}\n".encode())
        digest.update(values.data)
    return digest.hexdigest()


def checksum(header: str, tensors: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of a weights file's header, as it is written, and of its tensors in float32."""
    return hashlib.sha256(f"{header}\n{tensors_hash(tensors)}".encode()).hexdigest()


def _array(tensor: "Tensor") -> np.ndarray:
    return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()
