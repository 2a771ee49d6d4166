"""`evaluate` with networks of our own on shards: no face finder stands in for them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawn_faces import draw, write_faces

from amesh.evaluation.options import Evaluation, LabelledData
from amesh.evaluation.run import evaluate
from amesh.geometry import affine, roi
from amesh.geometry.roi import from_landmarks
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.cascade import Cascade
from amesh.nn.config import NAMED, MeshConfig
from amesh.nn.mesh_only import MeshOnly
from amesh.pipeline.images import crop_image
from amesh.weights import store

NETWORKS = {"Attention mesh": AttentionMesh, "Mesh": MeshOnly, "Cascade": Cascade}


def _read(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / "evaluation.json").read_text())
    return data


def test_table_2_of_fresh_networks_on_shards(tmp_path: Path) -> None:
    config = MeshConfig.from_dict({**NAMED["tiny-128"].to_dict(), "mesh_irises": True})
    models = []
    for name, kind in NETWORKS.items():
        file = tmp_path / kind.__name__ / "last.safetensors"  # runs give their files one name
        store.save(kind(config), file, {"source": "a test"})
        models.append(f"{name}={file}")
    write_faces(tmp_path / "shards", 12, size=128, negatives=6)
    wanted = Evaluation(
        LabelledData((tmp_path / "shards",)),
        models=tuple(models),
        output=tmp_path / "out",
        runtime="torch",
        detector=False,
        reference="Mesh",
        still=1,
        worst=2,
        resamples=50,
    )
    assert evaluate(wanted) == 0
    data = _read(tmp_path / "out")
    [table] = data["table_2"]
    assert (table["group"], table["scheme"], table["deep"]) == ("drawn", "face478", True)
    assert table["sources"] == {"drawn": 10}  # two were noise
    for row in table["rows"]:
        assert [cell["model"] for cell in row["cells"]] == list(NETWORKS)
        assert [cell["change"] is None for cell in row["cells"]] == [False, True, False]
        assert all(0 < cell["error"]["value"] < 100 for cell in row["cells"])
    assert not data["detection"]  # no detector was asked for, nor its weights
    assert not data["full"]
    assert [row["group"] for row in data["bins"]["rows"]["Pose"]] == ["drawn, yaw 0 to 30"] * 3
    assert {row["clip"] for row in data["jitter"]} == {"still faces"}
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {
        "evaluation.json",
        "evaluation.md",
        *(f"error_map-face478-{name}.png" for name in ("Attention_mesh", "Mesh", "Cascade")),
        *(f"error_map-face478-{name}_minus_Mesh.png" for name in ("Attention_mesh", "Cascade")),
        *(f"worst-{name}.png" for name in ("Attention_mesh", "Mesh", "Cascade")),
    }
    pictures = data["error_maps"] | data["worst_faces"]
    assert set(pictures) == {name for name in written if name.endswith(".png")}


def test_errors_in_table_2_are_those_of_the_network(tmp_path: Path) -> None:
    """The whole path from a shard to the table, against the network called by hand."""
    config = MeshConfig.from_dict({**NAMED["tiny-128"].to_dict(), "mesh_irises": True})
    net = Cascade(config).eval()
    store.save(net, tmp_path / "net.safetensors", {})
    write_faces(tmp_path / "shards", 1, size=128)
    data = LabelledData((tmp_path / "shards",))
    file = str(tmp_path / "net.safetensors")
    wanted = Evaluation(
        data, (file,), output=tmp_path / "out", runtime="torch", detector=False, resamples=9
    )
    evaluate(wanted)
    picture, points = draw(0, 128)
    truth = torch.from_numpy(points[None]).double()
    region = from_landmarks(truth[..., :2], truth[:, [33, 263], :2])
    image_from_crop = roi.image_from_crop(region, 128)
    crop = crop_image(picture, image_from_crop[0].numpy(), 128).astype(np.float32) / 255
    with torch.inference_mode():
        found = net(torch.from_numpy(crop).permute(2, 0, 1)[None]).landmarks.double()
    at = affine.apply(image_from_crop, found[..., :2])
    away = (at - truth[..., :2]).norm(dim=-1)[0]
    outer, lips = ((truth[0, a] - truth[0, b]).norm() for a, b in ((33, 263), (61, 291)))
    [table] = _read(tmp_path / "out")["table_2"]
    values = [row["cells"][0]["error"]["value"] for row in table["rows"]]
    region_points = list(config.load_topology().regions[0].indices)
    assert values[0] == pytest.approx(100 * float(away.mean() / outer), rel=1e-4)
    assert values[1] == pytest.approx(100 * float(away[region_points].mean() / lips), rel=1e-4)
