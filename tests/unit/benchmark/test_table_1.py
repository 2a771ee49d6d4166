import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from amesh.benchmark import latency, table_1
from amesh.benchmark.latency import ATTENTION, CASCADE, Setting, Timing, measure, settings_of
from amesh.benchmark.options import Benchmark
from amesh.benchmark.table_1 import benchmark, throughput_chart
from amesh.errors import UserError
from amesh.nn.config import NAMED

ONE = Setting("torch", "fp32", 1, 1)


def test_everything_is_called_in_turn_after_a_warm_up():
    order: list[str] = []
    calls = {(name, ONE): (lambda name=name: order.append(name)) for name in "ab"}
    timings = measure(calls, rounds=3)
    assert order[-6:] == ["a", "b"] * 3
    assert order.count("a") > 3
    assert [timing.name for timing in timings] == ["a", "b"]


def test_a_median_and_its_quartiles_come_from_the_clock(monkeypatch: pytest.MonkeyPatch):
    ticks = iter([0, 1, 10, 12, 20, 23, 30, 34, 40, 45])  # 1 to 5 seconds
    monkeypatch.setattr(latency.time, "perf_counter", lambda: next(ticks))
    [timing] = measure({("a", ONE): lambda: None}, rounds=5)
    assert (timing.low, timing.median, timing.high) == (2000, 3000, 4000)


def test_combinations_leave_out_what_does_not_exist():
    found = settings_of(["torch", "onnx"], ["fp32", "fp16"], [1, 2], [1])
    assert len(found) == 6
    assert not any(s.runtime == "torch" and s.precision == "fp16" for s in found)


def test_table_1_of_a_small_member(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert (
        benchmark(Benchmark("tiny-128", ("torch",), batches=(1, 2), rounds=2, output=tmp_path)) == 0
    )
    stored = json.loads((tmp_path / "benchmark.json").read_text())
    first = {t["name"]: t["median"] for t in stored["timings"] if t["setting"]["batch"] == 1}
    expected = first["Mesh"] + first["Lips"] + 2 * first["Eye & iris"]
    assert first[CASCADE] == pytest.approx(expected)
    text = (tmp_path / "benchmark.md").read_text()
    assert f"**{first[ATTENTION] / first[CASCADE]:.3f}**" in text
    assert "including cropping" in text
    assert text.strip() in capsys.readouterr().out
    assert (tmp_path / "benchmark.svg").is_file()


def test_a_plain_mesh_is_timed_with_the_default_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(table_1, "DEFAULT", "tiny-128")
    wanted = Benchmark("face-landmarker-v2", ("torch",), rounds=1, output=tmp_path)
    assert benchmark(wanted) == 0
    stored = json.loads((tmp_path / "benchmark.json").read_text())
    assert stored["about"]["network"] == "tiny-128 and face-landmarker-v2"
    times = {t["name"]: t["median"] for t in stored["timings"]}
    ratio = times[latency.PLAIN] / times[ATTENTION]
    text = (tmp_path / "benchmark.md").read_text()
    assert f"| Plain mesh / Attention Mesh | {ratio:.3f} |" in text


def test_each_number_of_threads_is_timed_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch):
    def here(*_: object) -> list[Timing]:
        raise AssertionError("timed in this process")

    monkeypatch.setattr(latency, "measure", here)  # a new process does not see this
    found = latency.table_1(
        NAMED["tiny-128"], settings_of(["torch"], ["fp32"], [1, 2], [1]), rounds=1
    )
    assert [one.setting.threads for one in found if one.name == ATTENTION] == [1, 2]
    with pytest.raises(AssertionError, match="timed in this process"):
        latency.table_1(NAMED["tiny-128"], [ONE], rounds=1)


def test_the_chart_shows_faces_per_second():
    timings = [Timing(ATTENTION, Setting("onnx", "fp32", 2, b), 10.0, 9.0, 12.0) for b in (1, 8)]
    root = ElementTree.fromstring(throughput_chart(timings))
    words = " ".join("".join(one.itertext()) for one in root.iter())
    assert "onnx" in words
    assert "fp32, 2 threads" in words
    assert "faces per second" in words


def test_mistakes_are_reported(tmp_path: Path):
    with pytest.raises(UserError, match=r"'big'.*paper-256"):
        benchmark(Benchmark("big", output=tmp_path))
    with pytest.raises(UserError, match="rounds is 0; expected 1 or more"):
        measure({}, rounds=0)
    wheel = tmp_path / "other.whl"
    wheel.write_bytes(b"no wheel")
    with pytest.raises(UserError, match=r"other\.whl: .*mediapipe"):
        benchmark(Benchmark("tiny-128", ("torch",), rounds=1, google=wheel, output=tmp_path))
