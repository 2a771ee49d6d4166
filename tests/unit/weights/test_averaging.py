import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from amesh.blazeface.config import FULL, SHORT
from amesh.blazeface.network import build_detector
from amesh.cli import main
from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.config import NAMED, MeshConfig, RegionConfig
from amesh.nn.plain_config import PlainConfig
from amesh.nn.plain_mesh import PlainMesh
from amesh.weights import store
from amesh.weights.averaging import average

TINY = NAMED["tiny-128"]


def saved(folder: Path, seed: int, config: MeshConfig = TINY) -> Path:
    torch.manual_seed(seed)
    path = folder / f"{seed}.safetensors"
    store.save(AttentionMesh(config), path, {"source": f"seed {seed}"})
    return path


def test_every_weight_is_the_mean_and_every_origin_is_named(tmp_path: Path):
    files = [saved(tmp_path, 0), saved(tmp_path, 1), saved(tmp_path, 2, replace(TINY, name="mine"))]
    written = tmp_path / "mean.safetensors"
    assert main(["weights", "average", *map(str, files), "--output", str(written)]) == 0
    parts = [store.tensors(file) for file in files]
    for name, tensor in store.tensors(written).items():
        expected = (parts[0][name] + parts[1][name] + parts[2][name]) / 3
        np.testing.assert_allclose(tensor, expected, rtol=1.3e-6, atol=1e-5)
    origin = store.header(written)["origin"]
    assert [one["source"] for one in origin["averaged"]] == ["seed 0", "seed 1", "seed 2"]
    assert [one["weights"] for one in origin["averaged"]] == ["0", "1", "2"]
    assert store.load(written).config == replace(TINY, name="mean")


def test_a_file_of_an_earlier_version_is_of_the_same_config(tmp_path: Path):
    config = replace(TINY, regions={"lips": RegionConfig((16, 32, 32), 1, 16)})
    one, other = saved(tmp_path, 0, config), saved(tmp_path, 1, config)
    header = store.header(one)
    header["config"]["regions"]["lips"] = {"widths": [16, 32, 32], "depth": 1, "head_width": 16}
    save_file(store.tensors(one), one, {"amesh": json.dumps(header)})
    mean, _ = average([one, other])
    assert replace(mean.config, name=config.name) == config


def test_what_has_no_mean_is_refused(tmp_path: Path):
    one, other = saved(tmp_path, 0), saved(tmp_path, 1, replace(TINY, crop_size=8))
    with pytest.raises(UserError, match=r"1\.safetensors: .*architecture"):
        average([one, other])
    for few in ([one], [one, one]):
        with pytest.raises(UserError, match="two or more networks, each once"):
            average(few)
    normed = replace(TINY, batch_norm=True)
    with pytest.raises(UserError, match="has BatchNorm"):
        average([saved(tmp_path, seed, normed) for seed in (2, 3)])
    with pytest.raises(UserError, match="no weights file"):
        average([one, tmp_path / "none.safetensors"])


def test_networks_of_other_architectures(tmp_path: Path):
    files = []
    for name in ("a", "b"):
        config = PlainConfig(name, input_size=128, widths=(2, 2, 2, 2, 2, 2, 2), depth=0)
        files.append(tmp_path / f"{name}.safetensors")
        store.save(PlainMesh(config), files[-1], {})
    mean, _ = average(files)
    assert isinstance(mean, PlainMesh)
    for kind in (SHORT, FULL):
        files.append(tmp_path / f"{kind.name}.safetensors")
        store.save(build_detector(kind), files[-1], {})
    files.append(saved(tmp_path, 0))
    for first, second in pairwise(files[1:]):
        with pytest.raises(UserError, match=f"{second.name}: architecture or config"):
            average([first, second])


def test_its_file_is_one_of_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["weights", "average", str(tmp_path / "a.safetensors"), "--output", "mean.onnx"]
    assert main(words) == 2
    assert "mean.onnx: give a name that ends in .safetensors" in capsys.readouterr().err
