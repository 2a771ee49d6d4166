"""`amesh run --stream`: from a clip to what a receiver reads; a tracker stands in for networks."""

import json
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import ramp, write_clip
from one_face import OneFace
from PIL import Image
from posed_heads import seen, turned
from pythonosc.osc_packet import OscPacket

from amesh.cli import main, run, run_stream
from amesh.effects.camera import Camera
from amesh.effects.canonical import canonical_face
from amesh.geometry.roi import Roi
from amesh.pipeline.face_pipeline import Face

pytest.importorskip("av", reason="needs PyAV: pip install '.[video]'")
pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

CAMERA = Camera.from_fov(64, 48)


def posed(yaw: float) -> np.ndarray:
    """The canonical face with closed lips."""
    points = canonical_face().points.copy()
    points[14] = points[13]
    return seen(CAMERA, turned(yaw=yaw), (0, 0, 600), points).astype(np.float32)


class Turning:
    """Follows a face that turns by 10 degrees from frame to frame; in the second there is none."""

    def __init__(self) -> None:
        self.pipeline, self.frames = OneFace(), 0

    def process(self, _: np.ndarray, __: float) -> list[Face]:
        self.frames += 1
        if self.frames == 2:
            return []
        return [Face(0, 0.9, posed(10 * (self.frames - 1)), Roi.at(32, 24, 40))]


@pytest.fixture(autouse=True)
def networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "open_tracker", lambda _: Turning)
    monkeypatch.setattr(run, "open_face_mesh", lambda _: OneFace())
    monkeypatch.setattr(run_stream, "open_face_mesh", lambda _: OneFace())


@pytest.fixture
def clip(tmp_path: Path) -> str:
    return str(write_clip(tmp_path / "a.mp4", ramp(3), rate=50))


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.setblocking(False)
        yield listening


def port(receiver: socket.socket) -> int:
    return int(receiver.getsockname()[1])


def received(receiver: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(receiver.recv(65536))
        except BlockingIOError:
            return found


def test_a_receiver_gets_every_frame(
    clip: str, receiver: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    target = f"vmc://127.0.0.1:{port(receiver)}"
    assert main(["run", clip, "--stream", target]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"1 track in 3 frames: {target}\n"
    messages = [one.message for data in received(receiver) for one in OscPacket(data).messages]
    tracked = [one.params[3] for one in messages if one.address == "/VMC/Ext/OK"]
    assert tracked == [1, 0, 1]
    times = [one.params[0] for one in messages if one.address == "/VMC/Ext/T"]
    assert times == pytest.approx([0, 0.02, 0.04])
    heads = [one.params for one in messages if one.params[:1] == ["Head"]]
    assert heads[0][4:] == pytest.approx([0, 0, 0, 1], abs=1e-3)
    assert heads[1][5] == pytest.approx(-np.sin(np.radians(10)), abs=1e-3)


def test_several_streams_beside_the_other_outputs(
    clip: str, receiver: socket.socket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records, lines, drawn = (tmp_path / name for name in ("r.jsonl", "l.jsonl", "o.mp4"))
    words = ["--output", str(records), "--draw", str(drawn), "--stream", f"jsonl:{lines}"]
    words += ["--stream", f"ifacialmocap://:{port(receiver)}", "--stream", "jsonl:-"]
    assert main(["run", clip, *words]) == 0
    out = capsys.readouterr().out
    assert out == lines.read_text()
    plain, rich = (
        [json.loads(line) for line in path.read_text().splitlines()] for path in (records, lines)
    )
    assert [one["time"] for one in rich] == [one["time"] for one in plain]
    assert [len(one["faces"]) for one in rich] == [1, 0, 1]
    assert rich[2]["faces"][0]["rotation"][0] == pytest.approx(20, abs=0.1)
    assert rich[2]["faces"][0]["landmarks"] == plain[2]["faces"][0]["landmarks"]
    assert drawn.exists()
    first, last = received(receiver)
    assert first.startswith(b"browDown_L-")
    assert b"=head#" in last


def test_a_mirror_and_another_camera(clip: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", clip, "--stream", "jsonl:-", "--mirror", "--fov", "30"]) == 0
    *_, last = map(json.loads, capsys.readouterr().out.splitlines())
    [face] = last["faces"]
    assert face["rotation"][0] == pytest.approx(-20, abs=5)
    assert face["position"][2] > 1000


class TestNeutral:
    """The canonical face, whose blendshapes are not 0, is the one at rest."""

    def shapes(self, words: list[str], capsys: pytest.CaptureFixture[str]) -> np.ndarray:
        assert main(["run", *words, "--stream", "jsonl:-"]) == 0
        first, *_ = map(json.loads, capsys.readouterr().out.splitlines())
        return np.array(list(first["faces"][0]["blendshapes"].values()))

    def test_records(self, clip: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        rest = tmp_path / "rest.jsonl"
        face = {"id": 0, "score": 0.9, "landmarks": posed(0).tolist()}
        record = {"source": "a", "frame": 0, "time": 0.0, "size": [64, 48], "faces": [face]}
        rest.write_text(json.dumps(record) + "\n")
        before = self.shapes([clip], capsys)
        after = self.shapes([clip, "--neutral", str(rest)], capsys)
        assert before.max() > 0.05
        assert after.max() < 0.01

    def test_records_of_other_landmarks(
        self, clip: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        rest = tmp_path / "rest.jsonl"
        face = {"id": 0, "score": 0.9, "landmarks": posed(0)[:5].tolist()}
        record = {"source": "a", "frame": 0, "time": 0.0, "size": [64, 48], "faces": [face]}
        rest.write_text(json.dumps(record) + "\n")
        words = ["run", clip, "--stream", "jsonl:-", "--mirror", "--neutral", str(rest)]
        assert main(words) == 2
        assert "rest.jsonl: expected the landmarks (478, 3)" in capsys.readouterr().err

    def test_a_picture(
        self,
        clip: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        Image.new("RGB", (64, 48)).save(tmp_path / "rest.png")
        small = Face(0, 0.9, posed(0) / 4, Roi.at(9, 9, 9))
        faces = [small, Face(1, 0.9, posed(0), Roi.at(9, 9, 9))]
        monkeypatch.setattr(run_stream, "open_face_mesh", lambda _: lambda _: faces)
        words = [clip, "--neutral", str(tmp_path / "rest.png")]
        assert self.shapes(words, capsys).max() < 0.01
        faces[1].landmarks[14] += 5
        assert main(["run", *words, "--stream", "jsonl:-"]) == 2
        assert "rest.png: the mouth is open in calibration" in capsys.readouterr().err
        faces.clear()
        assert main(["run", *words, "--stream", "jsonl:-"]) == 2
        assert capsys.readouterr().err.endswith("rest.png: no face in it\n")


def test_nobody_listening_is_no_error(
    clip: str, receiver: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    target = f"osc://127.0.0.1:{port(receiver)}"
    receiver.close()
    assert main(["run", clip, "--stream", target]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"amesh: {target}: nobody listens there yet; sending on",
        f"1 track in 3 frames: {target}",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--stream", "udp://x:1"], "--stream 'udp://x:1': expected vmc://HOST:PORT"),
        (["--stream", "vmc://:99999"], "the port must be 1 to 65535"),
        (["--stream", "vmc://", "--stream", "osc://:39539"], "go to the same place"),
        (["--stream", "vmc://", "--fov", "190"], "a field of view is 190.0 degrees"),
        (["--stream", "jsonl:a.jsonl", "--output", "a.jsonl"], "both write a.jsonl"),
        (["--stream", "jsonl:a.jsonl", "--neutral", "./a.jsonl"], "would overwrite a.jsonl"),
        (["--stream", "vmc://", "--output", "b.jsonl", "--resume"], "--resume does not go with"),
        (["--stream", "vmc://", "--neutral", "no.png"], "no.png: no such file"),
        (["--mirror"], "--mirror says how --stream measures faces"),
        (["--neutral", "a.png"], "--neutral says how --stream measures faces"),
    ],
)
def test_what_is_refused(
    words: list[str],
    message: str,
    clip: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delattr(run, "open_tracker")  # before the networks are loaded
    assert main(["run", clip, *words]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize("some", [False, True])
def test_a_video_that_fails_leaves_the_earlier_file(
    some: bool, clip: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, bad = tmp_path / "lines.jsonl", tmp_path / "bad.mp4"
    lines.write_text("earlier\n")
    bad.write_bytes(b"no video")
    sources = [clip, str(bad)] if some else [str(bad)]
    assert main(["run", *sources, "--stream", f"jsonl:{lines}"]) == (1 if some else 2)
    assert lines.read_text() == "earlier\n"
    part = tmp_path / "lines.jsonl.part"
    assert part.exists() == some
    assert not some or part.read_text().count("\n") == 3
    assert "bad.mp4: " in capsys.readouterr().err


def test_pictures_are_not_streamed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    assert main(["run", str(tmp_path / "a.png"), "--stream", "jsonl:-"]) == 2
    assert "a.png is a picture" in capsys.readouterr().err


def test_ctrl_c_keeps_the_lines(clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Turning, image: np.ndarray, time: float) -> list[Face]:
        if time > 0.03:
            raise KeyboardInterrupt
        return []

    monkeypatch.setattr(Turning, "process", interrupted)
    lines = tmp_path / "faces.jsonl"
    assert main(["run", clip, "--stream", f"jsonl:{lines}"]) == 130
    assert lines.read_text().count("\n") == 2


def test_ctrl_c_is_the_end_of_a_camera(
    tmp_path: Path, receiver: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Endless:
        """A camera that goes on for ever."""

        def __init__(self, _: int) -> None:
            pass

        def isOpened(self) -> bool:
            return True

        def get(self, _: int) -> float:
            return 0.0

        def read(self) -> tuple[bool, np.ndarray]:
            return True, np.zeros((48, 64, 3), np.uint8)

        def release(self) -> None:
            pass

    class Stopped(Turning):
        """Ctrl-C comes in the fourth frame."""

        def process(self, image: np.ndarray, time: float) -> list[Face]:
            if self.frames == 3:
                signal.raise_signal(signal.SIGINT)
            return super().process(image, time)

    monkeypatch.setattr(cv2, "VideoCapture", Endless)
    monkeypatch.setattr(run, "open_tracker", lambda _: Stopped)
    lines, target = tmp_path / "faces.jsonl", f"ifacialmocap://:{port(receiver)}"
    assert main(["run", "cam:0", "--stream", f"jsonl:{lines}", "--stream", target]) == 0
    records = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [len(one["faces"]) for one in records] == [1, 0, 1, 1]
    assert records[0]["source"] == "cam:0"
    assert len(received(receiver)) == 3


def test_a_reader_that_leaves_is_no_error(
    clip: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Left:
        def write(self, _: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None:
            pass

        def fileno(self) -> int:
            raise ValueError

    monkeypatch.setattr(sys, "stdout", Left())
    assert main(["run", clip, "--stream", "jsonl:-"]) == 0
    assert capsys.readouterr().err == ""
