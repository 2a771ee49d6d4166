"""Our network with the released weights, compared with the released network in its own runtime.

`tests/golden/oracle.py` recorded the golden file; see `tests/golden/README.md`.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from amesh.geometry import affine
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.output import MeshOutput
from amesh.weights import store

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "released_192.npz")
TOLERANCE = 1e-3  # [px of the 192-px crop]
# The released file names the eyes by their side in the picture; we use the subject's side.
OUTPUTS = {
    "lips": "lips",
    "left_eye": "right_eye",
    "right_eye": "left_eye",
    "left_iris": "right_iris",
    "right_iris": "left_iris",
}

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def net() -> AttentionMesh:
    loaded = store.load("released-192")
    assert isinstance(loaded, AttentionMesh)
    return loaded


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.from_numpy(GOLDEN["crops"]).permute(0, 3, 1, 2).float() / 255


@pytest.fixture(scope="module")
def output(net: AttentionMesh, images: torch.Tensor) -> MeshOutput:
    with torch.inference_mode():
        return net(images)


def worst(found: torch.Tensor, expected: np.ndarray) -> float:
    return float(np.abs(found.numpy() - expected).max())


def test_the_golden_crops_cover_what_they_should():
    assert len(GOLDEN["crops"]) >= 30
    assert len(GOLDEN["border_crops"]) >= 3


def test_mesh(output: MeshOutput):
    assert worst(output.mesh, GOLDEN["mesh"]) <= TOLERANCE


@pytest.mark.parametrize(("released", "ours"), OUTPUTS.items())
def test_regions(output: MeshOutput, released: str, ours: str):
    assert worst(output.regions[ours], GOLDEN[released]) <= TOLERANCE


def test_face_flag(output: MeshOutput):
    assert worst(output.face_flag, GOLDEN["flag"]) <= 1e-3  # a logit


def test_shared_map(net: AttentionMesh, images: torch.Tensor):
    with torch.inference_mode():
        shared = net.shared(images[GOLDEN["shared_crops"]]).permute(0, 2, 3, 1)
    assert worst(shared, GOLDEN["shared"]) <= 1e-4


def test_thetas(output: MeshOutput):
    """The released matrices map crop pixels (0 to 16) to map pixels (0 to 48)."""
    corners = torch.tensor([[0.0, 0.0], [16.0, 0.0], [0.0, 16.0], [16.0, 16.0]])
    n = len(output.thetas)
    corners = corners.expand(n, 3, 4, 2)
    ours = (affine.apply(output.thetas, corners / 8 - 1) + 1) * 24
    matrices = torch.from_numpy(GOLDEN["theta"])[..., :2, :]  # b r 2 4: x, y, z, translation
    released = affine.apply(matrices[..., [0, 1, 3]], corners)
    assert worst(ours, released.numpy()) <= TOLERANCE / 4


@pytest.mark.parametrize("sampler", ["affine", "gather"])
def test_region_crops(net: AttentionMesh, images: torch.Tensor, sampler: str):
    from amesh.geometry import sampling

    read = {"affine": sampling.affine, "gather": sampling.gather}[sampler]
    chosen = images[GOLDEN["region_crops"]]
    with torch.inference_mode():
        shared, thetas = net.shared(chosen), net(chosen).thetas
        crops = torch.stack([read(shared, thetas[:, r], 16) for r in range(3)], dim=1)
    crops = crops.permute(0, 1, 3, 4, 2)  # b r c k k -> b r k k c
    assert worst(crops, GOLDEN["region"]) <= 1e-3
    # Zeros are in the same places, so the border rule is the released one.
    outside = (GOLDEN["region"] == 0).all(-1)
    assert outside.any()
    assert np.array_equal((crops.numpy() == 0).all(-1), outside)


def test_assembled_landmarks(output: MeshOutput):
    landmarks = output.landmarks.numpy()
    assert landmarks.shape[1:] == (478, 3)
    outline = [33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173]
    expected_z = GOLDEN["mesh"][:, outline, 2]
    np.testing.assert_allclose(
        landmarks[:, 468:473, 2], np.repeat(expected_z.mean(1)[:, None], 5, 1), atol=TOLERANCE
    )
    np.testing.assert_allclose(landmarks[:, 468:473, :2], GOLDEN["left_iris"], atol=TOLERANCE)
    np.testing.assert_allclose(landmarks[:, 473:478, :2], GOLDEN["right_iris"], atol=TOLERANCE)
    np.testing.assert_allclose(landmarks[:, 4], GOLDEN["mesh"][:, 4], atol=TOLERANCE)
