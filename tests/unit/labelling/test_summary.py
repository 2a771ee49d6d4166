from pathlib import Path

import pytest

from amesh.errors import UserError
from amesh.labelling.options import LabelConfig
from amesh.labelling.summary import claim, summarise


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            {"max_disagreement": 0.1},
            r"--max-disagreement 0\.025, now it is 0\.1",
        ),
        ({"min_face": 60.0}, r"with --min-face 48\.0, now it is 60\.0"),
        ({"min_score": 0.6}, r"with --min-score 0\.5, now it is 0\.6"),
        ({"cut": 3.0}, r"with --cut 4\.0, now it is 3\.0"),
    ],
)
def test_a_folder_holds_faces_of_one_set_of_rules(
    tmp_path: Path, other: dict[str, float], message: str
):
    teacher = {"network": "colours"}
    claim(tmp_path, teacher, LabelConfig().rules)
    # How much is done at a time, and which of the inputs, may change from run to run.
    claim(tmp_path, teacher, LabelConfig(faces_per_shard=9, every=3, retry=True).rules)
    with pytest.raises(UserError, match=message):
        claim(tmp_path, teacher, LabelConfig(**other).rules)  # type: ignore[arg-type]
    summarise(tmp_path, teacher, LabelConfig().rules)
    with pytest.raises(UserError, match=message):
        claim(tmp_path, teacher, LabelConfig(**other).rules)  # type: ignore[arg-type]


def test_labelling_is_resumed_in_a_folder_without_recorded_rules(tmp_path: Path):
    (tmp_path / "labels.json").write_text('{"teacher": {"network": "colours"}}')
    claim(tmp_path, {"network": "colours"}, LabelConfig().rules)
