import json
import pickle
import resource
import zipfile
from dataclasses import asdict, replace
from importlib import resources
from pathlib import Path

import pytest
import torch

from amesh.errors import UserError
from amesh.nn.config import NAMED, MeshConfig, RegionConfig
from amesh.training.checkpoint import AtomicCheckpointIO, check_fits, checked, describe, read
from amesh.training.module import network_of

TINY = NAMED["tiny-128"]


def held(**changes):
    config = MeshConfig.from_dict({**TINY.to_dict(), **changes})
    return {"amesh": describe("AttentionMesh", config)}


def test_its_own_network_fits_whatever_reads_the_crops():
    check_fits(held(), "AttentionMesh", TINY)
    check_fits(held(sampler="gather", name="mine"), "AttentionMesh", TINY)


def test_a_checkpoint_of_another_topology_is_refused():
    other = held()
    other["amesh"]["topology"] = {"name": "mine", "points": 21}
    expected = r"another topology: it holds mine \(21 points\), .* face478 \(478 points\)"
    with pytest.raises(UserError, match=expected):
        check_fits(other, "AttentionMesh", TINY)


def test_a_checkpoint_of_another_network_is_refused_by_what_differs():
    with pytest.raises(UserError, match=r"crop_size is 32, .* 16"):
        check_fits(held(crop_size=32), "AttentionMesh", TINY)
    with pytest.raises(UserError, match=r"AttentionMesh.*Cascade"):
        check_fits(held(), "Cascade", TINY)
    with pytest.raises(UserError, match=r"sampler is gaussian.*affine"):
        check_fits(held(sampler="gaussian"), "AttentionMesh", TINY)


def test_regions_are_compared_by_what_they_refine():
    everything = asdict(RegionConfig(points="lips_outer", anchors=(61, 291)))
    said = {"nose": {**everything, "points": [1, 4, 5]}}
    same = replace(TINY, regions={"nose": RegionConfig(points=(1, 4, 5), anchors=(61, 291))})
    check_fits(held(regions=said), "AttentionMesh", same)
    with pytest.raises(UserError, match=r"its regions are lips.*; nose differs"):
        check_fits(held(regions=said), "AttentionMesh", TINY)
    other = replace(TINY, regions={"nose": RegionConfig(points="nose", anchors=(61, 291))})
    with pytest.raises(UserError, match="nose differs"):
        check_fits(held(regions=said), "AttentionMesh", other)
    # A capacity that an earlier version wrote, without the points.
    capacity = {"widths": [64, 128, 128], "depth": 2, "head_width": 32}
    check_fits(held(regions={"lips": capacity}), "AttentionMesh", TINY)


def test_an_own_topology_travels_in_the_checkpoint(tmp_path):
    data = json.loads((resources.files("amesh.topology") / "schemes/ibug68.json").read_text())
    path = tmp_path / "own.json"
    path.write_text(json.dumps(data | {"name": "own"}))
    own = replace(TINY, topology=str(path))
    checkpoint = {"amesh": describe("AttentionMesh", own)}
    moved = path.rename(tmp_path / "moved.json")
    check_fits(checkpoint, "AttentionMesh", replace(TINY, topology=str(moved)))
    assert MeshConfig.from_dict(checkpoint["amesh"]["network"]).load_topology().name == "own"


def test_a_foreign_checkpoint_is_refused():
    with pytest.raises(UserError, match="not written by amesh fit"):
        check_fits({"state_dict": {}}, "AttentionMesh", TINY)

    with pytest.raises(UserError, match=r"incomplete: .*network, topology"):
        check_fits({"amesh": {"architecture": "AttentionMesh"}}, "AttentionMesh", TINY)


def test_a_truncated_or_missing_file_is_refused_by_name(tmp_path):
    path = tmp_path / "last.ckpt"
    with pytest.raises(UserError, match=r"no checkpoint .*last\.ckpt"):
        read(path)
    torch.save({"a": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(UserError, match=r"last\.ckpt: damaged"):
        read(path)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    path = tmp_path / "evil.ckpt"
    torch.save({"a": Path("x")}, path)
    with pytest.raises(UserError, match=r"evil\.ckpt: refused: .*pathlib") as caught:
        read(path)
    assert "weights_only" not in str(caught.value), "no advice to load it all the same"
    path.write_bytes(pickle.dumps(Path("x")))
    with pytest.raises(UserError, match=r"evil\.ckpt: damaged or not"):
        read(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"amesh": {"architecture": "AttentionMesh"}}, "missing required field `network`"),
        ({"amesh": {"architecture": 3, "network": {}}}, "architecture: expected `str`"),
        ({"state_dict": [1]}, "its state_dict is not one"),
    ],
    ids=str,
)
def test_a_checkpoint_that_says_something_else_is_refused(tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        checked({"state_dict": {}, **held(), **change}, tmp_path / "last.ckpt", resumes=False)


def test_weights_that_do_not_fit_their_own_config_are_refused(tmp_path):
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": {"net.a": torch.zeros(1)}, **held()}, path)
    with pytest.raises(UserError, match=r"last\.ckpt: weights do not fit their own config"):
        network_of(path)


def test_a_flipped_bit_in_the_weights_is_noticed(tmp_path):
    path = tmp_path / "last.ckpt"
    torch.save({"a": torch.arange(1000.0)}, path)
    content = bytearray(path.read_bytes())
    content[content.index(torch.arange(1000.0).numpy().tobytes()) + 2000] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"damaged .*in last/data/0"):
        read(path)


def test_a_checkpoint_that_grows_when_it_is_read_is_refused(tmp_path):
    path = tmp_path / "bomb.ckpt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", bytes(1_000_000))
    with pytest.raises(UserError, match="in its compression"):
        read(path)


def test_a_full_disk_keeps_the_earlier_checkpoint_and_is_named(tmp_path):
    path, writer = tmp_path / "last.ckpt", AtomicCheckpointIO()
    writer.save_checkpoint({"step": 1}, path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:  # the kernel refuses to write more, and says why
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
        with pytest.raises(UserError, match=r"not saved: .*last\.ckpt.*File too large"):
            writer.save_checkpoint({"a": torch.zeros(100_000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert read(path) == {"step": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.ckpt"]
