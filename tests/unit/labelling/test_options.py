import math
from typing import Any

import pytest

from amesh.errors import UserError
from amesh.labelling.options import LabelConfig


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cut": 1.5}, r"cut is 1.5 faces.*expected 0"),
        ({"cut": -1.0}, "cut must be 0 or more"),
        ({"min_face": math.nan}, "min_face must be 0 or more, found nan"),
        ({"max_disagreement": math.inf}, "max_disagreement must be 0 or more"),
        ({"every": 0}, "every must be 1 or more, found 0"),
        ({"faces_per_shard": -3}, "faces_per_shard must be 1 or more"),
    ],
)
def test_a_number_out_of_its_range_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        LabelConfig(**given)
