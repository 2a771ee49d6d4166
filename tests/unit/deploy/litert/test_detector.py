"""What a detector's TFLite file is made of. Parity is in tests/integration."""

import json
from collections import Counter

import numpy as np
import pytest
from torch import nn

from amesh.blazeface.config import FULL, SHORT, DetectorConfig
from amesh.blazeface.network import build_detector
from amesh.deploy.litert.detector import export_detector
from amesh.deploy.litert.flatbuffer import read_metadata
from amesh.deploy.litert.runner import LitertFile
from amesh.deploy.signature import METADATA
from amesh.errors import UserError
from amesh.weights import tflite_file


@pytest.mark.parametrize("batch", [1, 3, 1000])
@pytest.mark.parametrize("config", [SHORT, FULL])
def test_operators_and_shapes(config: DetectorConfig, batch: int):
    net = build_detector(config)
    content = export_detector(net, batch, verify=False)
    file = tflite_file.read(content)
    size = config.input_size
    assert [file.shapes[i] for i in file.inputs] == [(batch, size, size, 3)]
    assert [file.shapes[i] for i in file.outputs] == [
        (batch, config.anchors, 16),
        (batch, config.anchors),
    ]
    count = Counter(operator.name for operator in file.operators)
    groups = [module.groups for module in net.modules() if isinstance(module, nn.Conv2d)]
    assert count.pop("CONV_2D") == groups.count(1)
    assert count.pop("DEPTHWISE_CONV_2D") == len(groups) - groups.count(1)
    # Activations are fused, and no map has to be transposed.
    own = {"short": {"MAX_POOL_2D", "CONCATENATION"}, "full": {"DEPTH_TO_SPACE", "RESIZE_BILINEAR"}}
    assert set(count) == {"SUB", "ADD", "PAD", "RESHAPE"} | own[config.name]
    about = json.loads(read_metadata(content, METADATA))
    assert about["model"] == f"detector-{config.name}"


def test_any_number_of_pictures():
    pytest.importorskip("ai_edge_litert")
    net = build_detector(SHORT)
    alone, three = (LitertFile(export_detector(net, batch, verify=False)) for batch in (1, 3))
    images = np.random.default_rng(0).random((4, 128, 128, 3), np.float32)
    expected = alone.run_crops(images)
    for count in (0, 1, 3, 4):  # the file takes three: one run, or two with pictures of zeros
        found = three.run_crops(images[:count])
        for name, values in found.items():
            np.testing.assert_allclose(values, expected[name][:count], atol=1e-4)


def test_the_bytes_are_the_same_each_time():
    net = build_detector(SHORT)
    assert export_detector(net, verify=False) == export_detector(net, verify=False)


def test_a_network_with_something_more_is_refused():
    net = build_detector(FULL)
    net.register_parameter("scale", net.stem.bias)
    with pytest.raises(UserError, match="unknown parameter 'scale'"):
        export_detector(net, verify=False)
