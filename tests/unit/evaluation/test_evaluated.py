from pathlib import Path

import pytest

from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.labels.read import Pictures
from amesh.evaluation.options import Evaluation, LabelledData
from amesh.topology.scheme import Topology


@pytest.mark.parametrize(
    ("references", "shown", "expected"),
    [
        ((), ["ours", "theirs"], "ours"),
        (("theirs",), ["ours", "theirs"], "theirs"),
        (("theirs", "old"), ["ours", "old", "theirs"], "theirs"),
        (("theirs", "old"), ["ours", "old"], "old"),  # a table without the other program
        (("theirs",), ["ours", "old"], "ours"),
    ],
)
def test_each_table_takes_the_first_reference_that_it_shows(
    references: tuple[str, ...], shown: list[str], expected: str, topology: Topology
) -> None:
    wanted = Evaluation(LabelledData((Path("a.jsonl"),)), reference=references, resamples=7, seed=3)
    found = Evaluated(wanted, topology, Pictures()).comparison(iter(shown))
    assert (found.reference, found.resamples, found.seed) == (expected, 7, 3)
