from pathlib import Path

import pytest

from amesh.benchmark import table_1
from amesh.benchmark.options import Benchmark
from amesh.cli import main


def test_every_option_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[Benchmark] = []

    def benchmark(options: Benchmark) -> int:
        wanted.append(options)
        return 0

    monkeypatch.setattr(table_1, "benchmark", benchmark)
    words = "benchmark --model tiny-128 --runtime torch litert --precision fp16 fp32 --threads 1 2"
    words += " --batch 4 --rounds 3 --google m.whl --output out"
    assert main(words.split()) == 0
    assert main(["benchmark"]) == 0
    assert wanted == [
        Benchmark(
            "tiny-128",
            ("torch", "litert"),
            ("fp16", "fp32"),
            (1, 2),
            (4,),
            3,
            Path("m.whl"),
            Path("out"),
        ),
        Benchmark(),
    ]


def test_a_number_out_of_its_range_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--threads", "1", "0"]) == 2
    assert capsys.readouterr().err == "amesh: threads must be 1 or more, found 0\n"
