import math
from pathlib import Path

import pytest
import torch

from amesh.blazeface.config import SHORT
from amesh.blazeface.network import build_detector
from amesh.cli import main
from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.config import NAMED
from amesh.nn.plain_config import PlainConfig
from amesh.nn.plain_mesh import PlainMesh
from amesh.weights import store
from amesh.weights.flag_scale import rescale_flag

TINY = NAMED["tiny-128"]


@pytest.mark.parametrize("kind", ["attention", "plain"])
def test_the_flag_changes_as_said_and_nothing_else(kind: str):
    torch.manual_seed(0)
    net = AttentionMesh(TINY) if kind == "attention" else PlainMesh(PlainConfig())
    size = net.config.input_size
    crops = torch.rand(3, 3, size, size)
    with torch.no_grad():
        before = net.eval()(crops)
        rescale_flag(net, 2.5, 1.8)
        after = net(crops)
    torch.testing.assert_close(after.face_flag, 1.8 * (before.face_flag - 2.5))
    torch.testing.assert_close(after.landmarks, before.landmarks)


def test_pack_writes_it_and_says_so_in_the_origin(tmp_path: Path):
    torch.manual_seed(0)
    net, path, packed = AttentionMesh(TINY), tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    store.save(net, path, {"source": "test"})
    words = ("weights", "pack", str(path), "--output", str(packed))
    assert main([*words, "--face-flag", "-1", "2"]) == 0
    crops = torch.rand(2, 3, 128, 128)
    with torch.no_grad():
        before, after = net.eval()(crops).face_flag, store.load(packed).eval()(crops).face_flag
    torch.testing.assert_close(after, 2 * (before + 1), rtol=0, atol=0.02)  # 16-bit weights
    assert store.header(packed)["origin"] == {"source": "test", "face flag": "2 * (logit +1)"}


@pytest.mark.parametrize(("zero", "scale"), [(0.0, 0.0), (0.0, -1.0), (math.nan, 1.0)])
def test_wrong_numbers_are_refused(zero: float, scale: float):
    with pytest.raises(UserError, match="a scale above 0"):
        rescale_flag(AttentionMesh(TINY), zero, scale)


def test_a_detector_has_no_face_flag():
    with pytest.raises(UserError, match="no face flag"):
        rescale_flag(build_detector(SHORT), 0.0, 1.0)
