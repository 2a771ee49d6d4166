import pytest
import torch

from amesh.blazeface.config import FULL, SHORT, DetectorConfig
from amesh.blazeface.network import build_detector, signed
from amesh.errors import UserError


@pytest.mark.parametrize(("config", "anchors"), [(SHORT, 896), (FULL, 2304)])
def test_networks_have_one_row_for_each_anchor(config: DetectorConfig, anchors: int):
    assert config.anchors == anchors
    net = build_detector(config).eval()
    output = net(torch.zeros(2, 3, config.input_size, config.input_size))
    assert output.boxes.shape == (2, anchors, 16)
    assert output.scores.shape == (2, anchors)


def test_black_and_white_become_minus_one_and_one():
    black_and_white = torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1)
    assert signed(black_and_white).flatten().tolist() == [-1.0, 0.0, 1.0]


def test_there_are_two_detectors():
    assert [config.model for config in (SHORT, FULL)] == ["detector-short", "detector-full"]
    with pytest.raises(UserError, match="invalid enum value 'long'"):
        DetectorConfig.from_dict({"name": "long"})
