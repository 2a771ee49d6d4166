"""Lines of JSON: a superset of the records of `amesh run`."""

import json
from pathlib import Path

from puppets import puppet, streamed

from amesh.pipeline.results import read_jsonl
from amesh.streaming.json_text import line


def test_what_a_line_holds(tmp_path: Path) -> None:
    text = line(streamed(puppet(4)))
    record = json.loads(text)
    assert (record["frame"], record["time"], record["size"]) == (3, 0.125, [640, 480])
    [face] = record["faces"]
    assert face["id"] == 4
    assert face["landmarks"] == [[7.5, 7.5, 7.5]] * 478
    assert face["rotation"] == [30, 20, 10]
    assert face["position"] == [10, 20, 500]
    assert face["gaze"] == [8, 4]
    assert face["opening"] == [0.3, 0.25]
    assert face["closed"] == [False, True]
    assert len(face["blendshapes"]) == 52
    assert face["blendshapes"]["jawOpen"] == 0.25
    file = tmp_path / "faces.jsonl"
    file.write_text(text + "\n")
    [read] = read_jsonl(file)  # as other commands read it
    assert read["faces"][0]["id"] == 4


def test_without_a_face() -> None:
    assert json.loads(line(streamed()))["faces"] == []
