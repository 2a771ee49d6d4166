"""Triton's own schema reads the configurations that we write."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from google.protobuf import text_format  # type: ignore[import-untyped]

from amesh.deploy.signature import landmark_outputs
from amesh.deploy.tensorrt.triton import config


@pytest.fixture(scope="module")
def schema() -> ModuleType:
    """The schema in NVIDIA's client, without the client: that would need gRPC."""
    package = importlib.util.find_spec("tritonclient")
    assert package is not None
    assert package.submodule_search_locations
    path = Path(package.submodule_search_locations[0]) / "grpc" / "model_config_pb2.py"
    spec = importlib.util.spec_from_file_location("triton_model_config", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sidecar(batch: int | None, profiles: list[list[int]], dtype: str = "float32") -> dict[str, Any]:
    shapes: dict[str, list[int | None]] = {
        "landmarks": [batch, 478, 3],
        "face_flag": [batch],
        "expected_error": [batch, 478],
    }
    return {
        "model": "paper-256",
        "precision": "fp16",
        "tensorrt": "11.4.0.106",
        "gpu": {"name": "NVIDIA L4", "capability": "8.9"},
        "normalisation": "RGB / 255, in [0, 1]",
        "inputs": {"image": {"shape": [batch, 3, 256, 256], "dtype": dtype}},
        "outputs": {
            name: {"shape": shapes[name], "dtype": "float32"} for name in landmark_outputs(True)
        },
        "profiles": profiles,
    }


@pytest.mark.parametrize(
    ("batch", "profiles"),
    [
        (None, [[1, 8, 64], [1, 1, 1]]),
        (None, [[1, 1, 1]]),
        (None, [[4, 8, 48], [1, 1, 1]]),
        (2, [[2, 2, 2]]),
    ],
)
def test_configurations_follow_the_schema(
    schema: ModuleType, batch: int | None, profiles: list[list[int]]
):
    text = config(sidecar(batch, profiles), "face", 2, 500)
    found = text_format.Parse(text, schema.ModelConfig())
    largest = profiles[0][2]
    assert found.max_batch_size == (0 if batch else largest)
    assert [output.name for output in found.output] == list(landmark_outputs(True))
    assert list(found.instance_group[0].profile) == [str(i) for i in range(len(profiles))]
    graphs = found.optimization.cuda.graph_spec
    assert len(graphs) == len(found.model_warmup)
    served: set[int] = set()
    for graph in graphs:
        low = graph.graph_lower_bound.batch_size or graph.batch_size
        assert not served & set(range(low, graph.batch_size + 1))
        served |= set(range(low, graph.batch_size + 1))
    assert served == ({0} if batch else {1, *range(profiles[0][0], largest + 1)})


def test_bytes(schema: ModuleType):
    text = config(sidecar(None, [[1, 8, 64]], "uint8"), "face", 1, 500)
    found = text_format.Parse(text, schema.ModelConfig())
    kind = schema.DataType.Value("TYPE_UINT8")
    assert found.input[0].data_type == kind
    assert found.model_warmup[0].inputs["image"].data_type == kind


def test_a_misspelt_field_is_refused(schema: ModuleType):
    text = config(sidecar(None, [[1, 8, 64]]), "face", 1, 500)
    with pytest.raises(text_format.ParseError, match="graph_lower_bond"):
        text_format.Parse(
            text.replace("graph_lower_bound", "graph_lower_bond"), schema.ModelConfig()
        )
