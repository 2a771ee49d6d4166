import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from clips import grey, write_clip
from drawn_faces import draw, write_faces
from evaluated_faces import Finder
from followed_faces import Follower, records, shaking

from amesh.errors import UserError
from amesh.evaluation import run as run_module
from amesh.evaluation import tables
from amesh.evaluation.markdown import table
from amesh.evaluation.options import Evaluation, LabelledData
from amesh.evaluation.report import Report
from amesh.evaluation.run import evaluate, run
from amesh.evaluation.table import Table
from amesh.geometry import affine, roi
from amesh.geometry.roi import from_landmarks
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.cascade import Cascade
from amesh.nn.config import NAMED, MeshConfig
from amesh.nn.mesh_only import MeshOnly
from amesh.pipeline.crops import crop_image
from amesh.pipeline.face_pipeline import FacePipeline
from amesh.pipeline.tracking import Tracker
from amesh.runner import RunnerOutput
from amesh.topology.scheme import Topology, load
from amesh.weights import store

Pose = Callable[..., np.ndarray]


@pytest.fixture
def manifest(tmp_path: Path, topology: Topology, pose: Pose) -> Path:
    """Labels of four pictures; the last shows nobody that the network would find."""
    lines = []
    for i, (red, blue) in enumerate([(0, 0), (4, 0), (8, 0), (12, 255)]):
        colour = np.full((200, 220, 3), (red, 0, blue), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f"{i}.png"), colour[..., ::-1])
        points = topology.map_points(pose()[:, :2], "ibug68") + np.array([0, red])
        lines.append(
            {
                "image": f"{i}.png",
                "source": "helen" if i < 2 else "lfpw",
                "licence": "CC0",
                "scheme": "ibug68",
                "coordinates": "index",
                "points": (points - 0.5).tolist(),
                "width": 220,
                "height": 200,
            }
        )
    path = tmp_path / "labels.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def opened(pose: Pose) -> Callable[..., Finder]:
    """Opens networks `right-by-N`; one that cuts crops as MediaPipe does is another pixel off."""

    def make(name: str, runtime: str, mediapipe_crop: bool) -> Finder:
        if not name.startswith("right-by-"):
            raise UserError(f"no model {name!r}")
        return Finder(pose(), float(name.removeprefix("right-by-")) + mediapipe_crop)

    return make


def _one(manifest: Path, folder: Path, **options: Any) -> Evaluation:
    """An evaluation of one exact network, unless the options say otherwise."""
    plain = {"data": LabelledData((manifest,)), "models": ("right-by-0",), "output": folder}
    return Evaluation(**(plain | options))


def _read(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / "evaluation.json").read_text())
    return data


def _row(rows: list[dict[str, Any]], group: str, measure: str) -> dict[str, Any]:
    [row] = [row for row in rows if (row["group"], row["measure"]) == (group, measure)]
    return row


def test_two_networks_and_a_file_side_by_side(
    tmp_path: Path, manifest: Path, opened: Callable[..., Finder], pose: Pose
) -> None:
    lines: list[dict[str, Any]] = []
    for i, red in enumerate([0, 4, 8, 12]):
        face = pose() + np.array([6.0, red, 0.0])
        faces = [{"id": 0, "score": 1.0, "landmarks": face.tolist()}]
        lines.append({"source": f"{i}.png", "frame": 0, "time": 0.0, "size": [220, 200]})
        lines[-1]["faces"] = faces
    theirs = tmp_path / "theirs.jsonl"
    theirs.write_text("".join(json.dumps(line) + "\n" for line in lines))
    report = run(
        Evaluation(
            LabelledData((manifest,)),
            models=("right-by-3", "right-by-1.5"),
            predictions=(f"theirs={theirs}",),
            output=tmp_path / "out",
            robustness=True,
            resamples=50,
        ),
        opened,
    )
    assert not report.failed
    data = _read(tmp_path / "out")
    row = _row(data["full"], "in the wild", "inner_51")
    assert [cell["model"] for cell in row["cells"]] == ["right-by-3", "right-by-1.5", "theirs"]
    # The outer eye corners are 60 px apart.
    np.testing.assert_allclose([c["error"]["value"] for c in row["cells"]], [5, 2.5, 10], rtol=1e-4)
    np.testing.assert_allclose([c["faces"] for c in row["cells"]], [3, 3, 4])
    assert row["cells"][1]["change"]["value"] == pytest.approx(-50, rel=1e-4)
    assert row["cells"][2]["failure_rate"] in (0.0, 25.0, 50.0, 100.0)
    in_roi = _row(data["in_roi"], "in the wild", "inner_51")
    assert [cell["faces"] for cell in in_roi["cells"]] == [4, 4]
    fitted = _row(data["fitted_full"], "in the wild", "inner_51")
    assert [cell["faces"] for cell in fitted["cells"]] == [3, 3, 4]
    assert fitted["cells"][2]["error"]["value"] != pytest.approx(10, rel=1e-2)
    assert {row["measure"] for row in data["fitted_in_roi"]} == {
        *("inner_51", "eyes", "lips", "all_68"),
    }
    assert data["depth"] is None
    rates = {row["group"]: row["rates"] for row in data["detection"]}
    assert rates["lfpw"]["right-by-3"]["value"] == 50.0
    assert rates["lfpw"]["theirs"]["value"] == 100.0
    pairs = {(a["first"], a["second"]): a for a in data["agreement"]}
    assert pairs["right-by-3", "theirs"]["mean"] == pytest.approx(5.0, rel=1e-4)
    assert pairs["right-by-3", "theirs"]["only_second"] == 1
    assert set(data["robustness"]) == {"right-by-3", "right-by-1.5"}
    text = (tmp_path / "out" / "evaluation.md").read_text()
    assert "5.00 (5.00 to 5.00)" in text
    assert (tmp_path / "out" / "robustness.svg").exists()


def test_face_flag_is_measured_on_faces_and_on_regions_without_one(
    tmp_path: Path, manifest: Path, opened: Callable[..., Finder]
) -> None:
    place = {"face": False, "licence": "CC0", "scheme": None, "coordinates": "corner"}
    lines = [
        # Three of the pictures look like faces to the network, and one does not.
        {"image": f"{i}.png", "source": "walls" if i % 2 else "skies", "box": box, **place}
        for i, box in enumerate([[10, 20, 50, 60], [0, 0, 40, 40], [0, 0, 60, 60], [9, 9, 19, 19]])
    ]
    empty = tmp_path / "empty.jsonl"
    empty.write_text("".join(json.dumps(line) + "\n" for line in lines))
    networks: list[Finder] = []

    def keep(*asked: Any) -> Finder:
        networks.append(opened(*asked))
        return networks[-1]

    run(_one(manifest, tmp_path / "out", data=LabelledData((manifest, empty))), keep)
    data = _read(tmp_path / "out")
    rows = {(row["group"], row["face"]): row for row in data["flags"]}
    assert rows["all", True]["called"]["right-by-0"]["value"] == 75.0
    assert rows["all", False]["called"]["right-by-0"]["value"] == 75.0
    assert rows["walls", False]["called"]["right-by-0"]["value"] == 50.0
    assert rows["skies", False]["regions"] == 2
    regions = [(one.centre.tolist(), one.size.tolist()) for one in networks[0].rois]
    assert ([[30.0, 40.0]], [60.0]) in regions[4:]  # after the four faces
    # No region without a face counts as a face that was not found.
    assert {row["group"] for row in data["detection"]}.isdisjoint({"walls", "skies"})
    assert "## Face flag" in (tmp_path / "out" / "evaluation.md").read_text()


def test_bootstrap_draws_regions_of_a_picture_together(
    tmp_path: Path, manifest: Path, opened: Callable[..., Finder]
) -> None:
    place = {"face": False, "licence": "CC0", "scheme": None, "coordinates": "corner"}
    one = {"source": "walls", "box": [10, 20, 50, 60], **place}
    empty = tmp_path / "empty.jsonl"
    names = ["0.png", "0.png", "0.png", "lost.png"]
    empty.write_text("".join(json.dumps({"image": name, **one}) + "\n" for name in names))
    data = LabelledData((manifest, empty))
    assert run(_one(manifest, tmp_path / "out", data=data), opened).failed
    [row] = [row for row in _read(tmp_path / "out")["flags"] if not row["face"]]
    assert row["regions"] == 3
    shares = row["called"]["right-by-0"]
    assert (shares["value"], shares["low"]) == (100.0, None)  # one picture has no interval
    assert "lost.png" in (tmp_path / "out" / "evaluation.md").read_text()


def test_regions_without_a_face_alone_are_refused(
    tmp_path: Path, opened: Callable[..., Finder]
) -> None:
    line = {"image": "a.png", "source": "walls", "licence": "CC0", "scheme": None, "face": False}
    path = tmp_path / "empty.jsonl"
    path.write_text(json.dumps(line | {"box": [0, 0, 9, 9], "coordinates": "corner"}) + "\n")
    with pytest.raises(UserError, match="no face among the labels"):
        run(_one(path, tmp_path / "out"), opened)


def test_mediapipes_crop_has_its_own_column(
    tmp_path: Path, manifest: Path, opened: Callable[..., Finder]
) -> None:
    run(_one(manifest, tmp_path, mediapipe_crop=True), opened)
    row = _row(_read(tmp_path)["full"], "helen", "inner_51")
    assert [cell["model"] for cell in row["cells"]] == [
        "right-by-0",
        "right-by-0, MediaPipe's crop",
    ]
    assert row["cells"][1]["error"]["value"] == pytest.approx(100 / 60, rel=1e-4)


def test_limit_is_per_source(tmp_path: Path, manifest: Path, opened: Callable[..., Finder]) -> None:
    run(_one(manifest, tmp_path, limit=1), opened)
    assert {r["group"]: r["labelled"] for r in _read(tmp_path)["detection"]} == {
        "in the wild": 2,
        "helen": 1,
        "lfpw": 1,
        "in the wild, yaw 0 to 30": 2,
    }


def test_report_names_the_list_of_keys(
    tmp_path: Path, manifest: Path, opened: Callable[..., Finder]
) -> None:
    held_out = tmp_path / "held_out.txt"
    held_out.write_text("0.png#1\n2.png#3\n")
    run(_one(manifest, tmp_path, data=LabelledData((manifest,), only=held_out)), opened)
    data = _read(tmp_path)
    found = {row["group"]: row["labelled"] for row in data["detection"]}
    assert (found["helen"], found["lfpw"]) == (1, 1)
    assert data["about"]["only the faces in"] == f"{tmp_path.name}/held_out.txt"
    assert "* only the faces in: " in (tmp_path / "evaluation.md").read_text()


def test_unreadable_picture_is_reported_and_the_others_are_scored(
    tmp_path: Path,
    manifest: Path,
    opened: Callable[..., Finder],
) -> None:
    (tmp_path / "1.png").write_bytes(b"")
    report = run(_one(manifest, tmp_path), opened)
    assert list(report.failed) == [str(tmp_path / "1.png")]
    data = _read(tmp_path)
    assert list(data["failed"]) == [str(tmp_path / "1.png")]
    assert _row(data["full"], "helen", "inner_51")["cells"][0]["faces"] == 1


def test_mistakes_are_reported_before_the_work(
    tmp_path: Path, manifest: Path, opened: Callable[..., Finder]
) -> None:
    def refused(message: str, **options: Any) -> None:
        with pytest.raises(UserError, match=message):
            run(_one(manifest, tmp_path, **options), opened)

    refused("no data: give at least one labelled set", data=LabelledData())
    refused("limit must be 1 or more, found 0", limit=0)
    refused("resamples must be 1 or more, found 0", resamples=0)
    refused("worst must be 0 or more, found -1", worst=-1)
    refused("leave out --no-detector", detector=False, mediapipe_crop=True)
    refused("leave out --no-detector", detector=False, videos=(tmp_path / "a.mp4",))
    refused("is a picture; --video takes clips", videos=(tmp_path / "a.PNG",))
    refused("give --data", data=LabelledData(), videos=(tmp_path / "a.mp4",), still=2)
    only = LabelledData(only=tmp_path / "held_out.txt")
    refused("--only and --without choose faces", data=only, videos=(tmp_path / "a.mp4",))
    refused("no model 'left'", models=("left",))
    refused("two sets of predictions are called 'right-by-0'", models=("right-by-0",) * 2)
    refused("no set 'x' to compare with; there is: right-by-0", reference=("x",))
    theirs = tmp_path / "right-by-0.jsonl"
    record = {"source": "0.png", "frame": 0, "time": 0.0, "size": [220, 200], "faces": []}
    theirs.write_text(json.dumps(record))
    refused("two sets of predictions are called 'right-by-0'", predictions=(str(theirs),))
    refused(r"x: no record of .*1\.png", predictions=(f"x={theirs}",))
    refused("give --model", models=(), predictions=(f"x={theirs}",), robustness=True)
    (tmp_path / "file").write_text("")
    refused("cannot be written", output=tmp_path / "file" / "folder")
    lines = manifest.read_text().splitlines()
    short = json.loads(lines[1])
    short["points"] = short["points"][:67]
    manifest.write_text("\n".join([lines[0], json.dumps(short)]))
    refused("line 2: 67 points, but ibug68 has 68")
    manifest.write_text("\n".join([lines[0], json.dumps(short | {"scheme": "wflw"})]))
    refused("line 2: no label scheme 'wflw'")
    manifest.write_text("\n".join([lines[0], json.dumps(json.loads(lines[1]) | {"width": 99})]))
    refused("1.png is 220 x 200 px, but the label says 99 x 200")


def test_clips_need_no_labelled_pictures(tmp_path: Path, pose: Callable[..., np.ndarray]) -> None:
    pytest.importorskip("av", reason="needs PyAV: pip install '.[video]'")
    clip = write_clip(tmp_path / "a.mp4", [grey(100)] * 30, rate=30)
    raw = shaking(pose(), 30, 0.3)
    theirs = tmp_path / "theirs.jsonl"
    theirs.write_text("\n".join(json.dumps(line) for line in records("a.mp4", raw, raw)))
    opened: list[tuple[str, str, str]] = []

    def open_tracker(*asked: str) -> Follower:
        opened.append(asked)
        return Follower(list(shaking(pose(), 30, 0.3 if asked[2] == "off" else 0.1)))

    wanted = Evaluation(
        models=("net", "other=b.safetensors"),
        predictions=(f"theirs={theirs}",),
        videos=(clip,),
        runtime="torch",
        smoothing=("off", "strong"),
        reference=("other",),
        output=tmp_path,
    )
    assert not run(wanted, _no_model, open_tracker).failed
    files = ("net", "b.safetensors")
    assert opened == [(file, "torch", how) for file in files for how in ("off", "strong")]
    data = _read(tmp_path)
    programs = {row["program"]: row for row in data["over_time"]["programs"]}
    assert list(programs) == ["net, off", "net, strong", "other, off", "other, strong", "theirs"]
    assert programs["other, off"]["change"] is None
    assert programs["other, strong"]["change"]["value"] == pytest.approx(-100 * 2 / 3, abs=3)
    assert programs["theirs"]["jitter"] == programs["net, off"]["jitter"]
    assert programs["net, strong"]["share"] == 100
    assert list(data["over_time"]["clips"]) == ["a.mp4"]
    assert (tmp_path / "over_time.svg").exists()
    text = (tmp_path / "evaluation.md").read_text()
    assert "Errors are mean 2-D distances" not in text
    assert data["table_2"] is None


def test_records_of_clips_need_no_network_and_no_clip(
    tmp_path: Path, pose: Callable[..., np.ndarray]
) -> None:
    theirs = tmp_path / "theirs.jsonl"
    lines = records("videos/a.mp4", shaking(pose(), 12))
    theirs.write_text("\n".join(json.dumps(line) for line in lines))
    wanted = Evaluation(
        predictions=(str(theirs),), videos=(tmp_path / "videos" / "a.mp4",), output=tmp_path
    )
    run(wanted, _no_model)
    [row] = _read(tmp_path)["over_time"]["programs"]
    assert row["program"] == "theirs"
    more = replace(wanted, videos=(*wanted.videos, tmp_path / "b.mp4"))
    with pytest.raises(UserError, match=r"theirs: no record of .*b\.mp4"):
        run(more, _no_model)


def test_records_may_be_of_pictures_and_clips(
    tmp_path: Path,
    manifest: Path,
    opened: Callable[..., Finder],
    pose: Callable[..., np.ndarray],
) -> None:
    clip, theirs = tmp_path / "a.mp4", tmp_path / "theirs.jsonl"
    lines = [*records("a.mp4", shaking(pose(), 12))]
    size = [220, 200]
    pictures = [
        {"source": f"{i}.png", "frame": 0, "time": 0.0, "size": size, "faces": []} for i in range(4)
    ]
    both = _one(manifest, tmp_path, models=(), videos=(clip,), predictions=(str(theirs),))
    theirs.write_text("\n".join(json.dumps(line) for line in [*pictures, *lines]))
    run(both, opened)
    data = _read(tmp_path)
    assert [row["program"] for row in data["over_time"]["programs"]] == ["theirs"]
    assert data["detection"]
    theirs.write_text("\n".join(map(json.dumps, lines)))  # of the clip only
    run(both, opened)
    assert not _read(tmp_path)["detection"]


def _no_model(*_: object) -> Finder:
    raise AssertionError("there are no pictures to run a network on")


def test_a_table_on_the_list_is_in_the_report(
    tmp_path: Path, manifest: Path, opened: Callable[..., Finder], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = Table[dict[str, int]](
        key="sizes",
        title="Sizes",
        compute=lambda evaluated: {"faces": len(evaluated.labels)},
        section=lambda rows: table(["what", "how many"], [[k, str(v)] for k, v in rows.items()]),
    )
    monkeypatch.setattr(tables, "TABLES", (sizes, *tables.TABLES))
    run(_one(manifest, tmp_path), opened)
    text = (tmp_path / "evaluation.md").read_text()
    assert "## Sizes\n\n| what  | how many |\n| ----- | -------- |\n| faces | 4" in text
    assert _read(tmp_path)["sizes"] == {"faces": 4}


def test_each_table_has_a_key_and_a_title_of_its_own() -> None:
    for names in ([one.key for one in tables.TABLES], [one.title for one in tables.TABLES]):
        assert len(set(names)) == len(names)


def test_rows_that_several_tables_use_are_computed_once(
    tmp_path: Path, manifest: Path, opened: Callable[..., Finder], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def counted(table: Table[Any]) -> Any:
        compute = table.compute
        return lambda evaluated: calls.append(table.key) or compute(evaluated)

    for one in tables.TABLES:
        monkeypatch.setitem(one.__dict__, "compute", counted(one))
    run(_one(manifest, tmp_path, models=("right-by-0", "right-by-1")), opened)
    assert sorted(calls) == sorted(one.key for one in tables.TABLES)


# -------------------------------------------------------- networks of our own, on shards

NETWORKS = {"Attention mesh": AttentionMesh, "Mesh": MeshOnly, "Cascade": Cascade}


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
        reference=("Mesh",),
        still=1,
        worst=2,
        resamples=50,
    )
    assert not run(wanted).failed
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
    assert {row["faces"] for row in data["jitter"]} == {1}
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
    run(wanted)
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


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Evaluation]:
    """What the evaluation is asked to do; nothing is run."""
    found: list[Evaluation] = []

    def record(wanted: Evaluation) -> Report:
        found.append(wanted)
        return Report({"limit": wanted.limit})

    monkeypatch.setattr(run_module, "run", record)
    return found


def test_plain_arguments_become_an_evaluation(asked: list[Evaluation], tmp_path: Path) -> None:
    report = evaluate(
        "labels.jsonl",
        ["paper-256", Path("mine.safetensors")],
        output=tmp_path / "report",
        coordinates="index",
        only="held_out.txt",
        robustness=True,
        limit=5,
    )
    [wanted] = asked
    assert report == {"about": {"limit": 5}}
    assert wanted.data.paths == (Path("labels.jsonl"),)
    assert (wanted.data.coordinates, wanted.data.only) == ("index", Path("held_out.txt"))
    assert wanted.models == ("paper-256", "mine.safetensors")
    assert (wanted.robustness, wanted.limit, wanted.predictions) == (True, 5, ())


def test_several_sets_and_one_network(asked: list[Evaluation], tmp_path: Path) -> None:
    evaluate(["a.jsonl", Path("shards")], "paper-256", output=str(tmp_path / "report"))
    assert asked[0].data.paths == (Path("a.jsonl"), Path("shards"))
    assert asked[0].models == ("paper-256",)


def test_clips_need_no_annotated_set(asked: list[Evaluation]) -> None:
    evaluate(videos="a.mp4", smoothing=("light",))
    evaluate(videos=["a.mp4", Path("b.mov")])
    assert [wanted.data.paths for wanted in asked] == [(), ()]
    assert [wanted.smoothing for wanted in asked] == [("light",), ("off", "mediapipe")]
    assert asked[0].videos == (Path("a.mp4"),)
    assert asked[1].videos == (Path("a.mp4"), Path("b.mov"))


def test_an_unknown_option_names_the_known_ones(asked: list[Evaluation]) -> None:
    with pytest.raises(UserError, match=r"no option 'worse'; it has: .*worst"):
        evaluate("labels.jsonl", worse=3)
    assert not asked


def test_a_network_of_another_scheme_is_refused(tmp_path: Path, manifest: Path) -> None:
    class Foreign:
        name, input_size, topology = "mine", 64, load("ibug68")

        def __call__(self, crops: np.ndarray) -> RunnerOutput:
            raise AssertionError("nothing is to be run")

    def opened(name: str, runtime: str, mediapipe_crop: bool) -> FacePipeline:
        return FacePipeline(Foreign(), lambda _: [])

    def followed(name: str, runtime: str, smoothing: str) -> Tracker:
        return Tracker(opened(name, runtime, False), smoothing)

    with pytest.raises(UserError, match=r"predicts the scheme ibug68"):
        run(_one(manifest, tmp_path), opened)
    pytest.importorskip("av")
    clips = {"data": LabelledData(), "videos": (tmp_path / "a.mp4",)}
    with pytest.raises(UserError, match=r"predicts the scheme ibug68"):
        run(_one(manifest, tmp_path, **clips), opened, followed)
