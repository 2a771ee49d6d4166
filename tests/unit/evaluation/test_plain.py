from pathlib import Path

import pytest

from amesh.errors import UserError
from amesh.evaluation import plain
from amesh.evaluation.options import Evaluation


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Evaluation]:
    """What the evaluation is asked to do; it only writes an empty report."""
    found: list[Evaluation] = []

    def evaluate(wanted: Evaluation) -> int:
        found.append(wanted)
        print("a report")
        wanted.output.mkdir()
        (wanted.output / "evaluation.json").write_text('{"failed": {}}')
        return 0

    monkeypatch.setattr(plain.run, "evaluate", evaluate)
    return found


def test_plain_arguments_become_an_evaluation(
    asked: list[Evaluation], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = plain.evaluate(
        "labels.jsonl",
        ["paper-256", Path("mine.safetensors")],
        output=tmp_path / "report",
        coordinates="index",
        only="held_out.txt",
        robustness=True,
        limit=5,
    )
    [wanted] = asked
    assert report == {"failed": {}}
    assert wanted.data.paths == (Path("labels.jsonl"),)
    assert (wanted.data.coordinates, wanted.data.only) == ("index", Path("held_out.txt"))
    assert wanted.models == ("paper-256", "mine.safetensors")
    assert (wanted.robustness, wanted.limit, wanted.predictions) == (True, 5, ())
    assert capsys.readouterr().out == ""


def test_several_sets_and_one_network(asked: list[Evaluation], tmp_path: Path) -> None:
    plain.evaluate(["a.jsonl", Path("shards")], "paper-256", output=str(tmp_path / "report"))
    assert asked[0].data.paths == (Path("a.jsonl"), Path("shards"))
    assert asked[0].models == ("paper-256",)


def test_an_unknown_option_names_the_known_ones(asked: list[Evaluation]) -> None:
    with pytest.raises(UserError, match=r"no option 'worse'; it has: .*worst"):
        plain.evaluate("labels.jsonl", worse=3)
    assert not asked
