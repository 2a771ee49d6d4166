from pathlib import Path

import numpy as np
import pytest
import torch

from amesh.data.loading.pictures import decode
from amesh.data.sources.problems import Problems
from amesh.data.sources.shards import ShardSource
from amesh.errors import UserError
from amesh.files import locked
from amesh.synth.config import SynthConfig
from amesh.synth.faces import SyntheticFaces
from amesh.synth.write import write_shards
from amesh.topology import Topology


def test_shards_contain_the_faces(
    tmp_path: Path, faces: SyntheticFaces, topology: Topology
) -> None:
    assert write_shards(tmp_path, faces, topology, 5, seed=3, per_shard=3) == 5
    source = ShardSource(tmp_path, Problems())
    assert len(source) == 5
    canvas = faces(3, 0, torch.arange(5))
    for i in range(5):
        read = source[i]
        np.testing.assert_allclose(read.points, canvas.landmarks[i].numpy(), atol=1e-3)
        assert read.visibility is not None
        assert (read.visibility == canvas.visibility[i].numpy()).all()
        assert (read.scheme, read.source, read.licence) == ("face478", "synthetic", "CC0-1.0")
        pixels = decode(read.read_picture(), read.where)[0].astype(int)
        apart = np.abs(pixels - canvas.pictures[i].permute(1, 2, 0).numpy().astype(int))
        assert apart.mean() < 4


def test_a_head_seen_from_behind_is_written_as_a_region_without_a_face(
    tmp_path: Path, topology: Topology
) -> None:
    behind = SyntheticFaces(topology, 64, SynthConfig(behind=1.0))
    write_shards(tmp_path, behind, topology, 1, seed=3)
    read = ShardSource(tmp_path, Problems())[0]
    assert (read.face, read.scheme, len(read.points)) == (False, None, 0)
    xy = behind(3, 0, torch.tensor([0])).landmarks[0, :, :2]
    np.testing.assert_allclose(read.box, torch.cat([xy.amin(0), xy.amax(0)]), atol=1e-3)


def test_a_stopped_run_resumes(tmp_path: Path, faces: SyntheticFaces, topology: Topology) -> None:
    told: list[int] = []
    write_shards(tmp_path, faces, topology, 2, seed=3)
    made = write_shards(tmp_path, faces, topology, 5, seed=3, done=told.append)
    assert made == 3
    assert sum(told) == 5
    keys = {entry.key for entry in ShardSource(tmp_path, Problems()).entries}
    assert keys == {f"synthetic-3-{faces.size}-{i}" for i in range(5)}


def test_ctrl_c_keeps_what_is_made(
    tmp_path: Path, faces: SyntheticFaces, topology: Topology
) -> None:
    def stop(number: int) -> None:
        if number:
            raise KeyboardInterrupt

    (tmp_path / ".synthetic-0000-000000.tar.0a1b2c3d").touch()  # of a kill
    with pytest.raises(KeyboardInterrupt):
        write_shards(tmp_path, faces, topology, 20, seed=3, done=stop)
    assert write_shards(tmp_path, faces, topology, 20, seed=3) == 12
    assert len({entry.key for entry in ShardSource(tmp_path, Problems()).entries}) == 20
    tar = ("synthetic-0000-000000.tar", "synthetic-0000-000001.tar")
    assert {p.name for p in tmp_path.glob("*.tar")} == set(tar)
    assert not list(tmp_path.glob(".*.tar.*"))


def test_a_rank_is_one_process(tmp_path: Path, faces: SyntheticFaces, topology: Topology) -> None:
    with (
        locked(tmp_path / ".synthetic-0001.lock"),
        pytest.raises(UserError, match="another process is writing faces there"),
    ):
        write_shards(tmp_path, faces, topology, 5, 3, 1, 2)


def test_ranks_share_the_work(tmp_path: Path, faces: SyntheticFaces, topology: Topology) -> None:
    made = [write_shards(tmp_path, faces, topology, 5, 3, rank, 2) for rank in (0, 1)]
    assert made == [3, 2]
    assert write_shards(tmp_path, faces, topology, 6, 3) == 1  # by fewer processes
    assert len({entry.key for entry in ShardSource(tmp_path, Problems()).entries}) == 6
    with pytest.raises(UserError, match="rank 2 of 2: expected 0 to 1"):
        write_shards(tmp_path, faces, topology, 5, 3, 2, 2)
