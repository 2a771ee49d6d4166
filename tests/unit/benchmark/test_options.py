from typing import Any

import pytest

from amesh.benchmark.options import Benchmark
from amesh.errors import UserError


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"threads": (1, 0)}, "threads must be 1 or more, found 0"),
        ({"batches": (-2,)}, "batch must be 1 or more, found -2"),
        ({"rounds": 0}, "rounds must be 1 or more"),
    ],
)
def test_a_number_below_1_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Benchmark(**given)
