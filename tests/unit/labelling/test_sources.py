import os
from pathlib import Path

import pytest

from amesh.data.sources.labelled_face import LabelledFace
from amesh.errors import UserError
from amesh.labelling.manifest import Manifest, find_manifests
from amesh.labelling.sources import Share, find_inputs, find_share


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_names_start_with_the_folder_wherever_it_lies(tmp_path: Path):
    photos = tmp_path / "photos"
    touch(photos / "b.jpg", photos / "deep" / "a.PNG", photos / "c.mp4", photos / "notes.txt")
    touch(photos / ".hidden" / "d.mp4", photos / ".e.mov")
    found = find_inputs([str(photos)])
    expected = [("photos/b.jpg", False), ("photos/c.mp4", True), ("photos/deep/a.PNG", False)]
    assert [(one.name, one.video) for one in found] == expected
    assert [one.path for one in found] == [tmp_path / name for name, _ in expected]


def test_a_folder_and_its_files_one_by_one_have_the_same_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    touch(tmp_path / "photos" / "a.jpg", tmp_path / "photos" / "b.jpg")
    monkeypatch.chdir(tmp_path / "photos")
    for sources in (["."], ["a.jpg", "b.jpg"], ["../photos"], [".", "b.jpg", "./a.jpg"]):
        assert [one.name for one in find_inputs(sources)] == ["photos/a.jpg", "photos/b.jpg"]


def test_two_inputs_of_one_name(tmp_path: Path):
    touch(tmp_path / "x" / "photos" / "a.jpg", tmp_path / "y" / "photos" / "a.jpg")
    with pytest.raises(UserError, match=r"x/photos/a\.jpg.*y/photos/a\.jpg"):
        find_inputs([str(tmp_path / "x" / "photos"), str(tmp_path / "y" / "photos")])


def test_sources_that_hold_nothing(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: no picture and no video"):
        find_inputs([str(tmp_path / "empty")])
    with pytest.raises(UserError, match="gone: no such file or folder"):
        find_inputs([str(tmp_path / "gone")])


def test_shares_are_disjoint_complete_even_and_do_not_depend_on_other_pictures():
    keys = [f"photos/{i}.jpg#0" for i in range(1000)]
    shares = [Share(rank, 4) for rank in range(4)]
    owners = [[share.rank for share in shares if share.has(key)] for key in keys]
    assert all(len(one) == 1 for one in owners)
    counts = [sum(one == [rank] for one in owners) for rank in range(4)]
    assert min(counts) > 200
    assert all(Share().has(key) for key in keys)


# What Slurm gives to a batch script that asked for four tasks: srun would start them.
BATCH = {"SLURM_JOB_ID": "7", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NTASKS": "4"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Share()),
        ({"RANK": "2", "WORLD_SIZE": "4"}, Share(2, 4)),
        ({**BATCH, "SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "3"}, Share(1, 3)),
        ({"RANK": "0", "WORLD_SIZE": "2", **BATCH, "SLURM_STEP_NUM_TASKS": "4"}, Share(0, 2)),
        (BATCH, Share()),
    ],
)
def test_the_launcher_says_the_rank(environment: dict[str, str], expected: Share):
    assert find_share(None, None, environment) == expected
    assert find_share(5, 6, environment) == Share(5, 6)


def test_ranks_that_make_no_sense():
    with pytest.raises(UserError, match="--rank and --ranks together"):
        find_share(1, None, {})
    with pytest.raises(UserError, match="rank 4 of 4: expected 0 to 3"):
        find_share(4, 4, {})
    with pytest.raises(UserError, match="RANK and WORLD_SIZE: invalid literal"):
        find_share(None, None, {"RANK": "first", "WORLD_SIZE": "4"})


LINES = """\
{"image": "a.jpg", "source": "ours", "licence": "CC0", "group": {"b": "2", "a": "1"}, "person": 7}

{"image": "deep/b.jpg", "generated": true, "split": "train", "width": 3}
"""


def known(face: LabelledFace) -> tuple[object, ...]:
    return face.source, face.licence, face.group, face.person, face.split, face.generated


def test_a_manifest_inside_or_beside_tells_facts(tmp_path: Path):
    set_folder = tmp_path / "set"
    touch(set_folder / "a.jpg", set_folder / "deep" / "b.jpg", set_folder / "deep" / "c.jpg")
    (set_folder / "manifest.jsonl").write_text(LINES)
    expected = {
        "a.jpg": ("ours", "CC0", "a 1, b 2", "7", None, False),
        "b.jpg": ("set", "MIT", "", None, "train", True),
    }
    for source, first in ((set_folder, "set"), (set_folder / "deep", "deep")):
        [file] = find_manifests([str(source)])
        assert file == set_folder / "manifest.jsonl"
        manifest = Manifest([file], licence="MIT")
        inputs = find_inputs([str(source)])
        for one in inputs:
            unknown = (first, "MIT", "", None, None, False)
            assert known(manifest.of(one)) == expected.get(one.path.name, unknown)
        assert manifest.lacks(inputs) == 1


def test_without_a_manifest_the_folder_is_the_source(tmp_path: Path):
    touch(tmp_path / "set" / "deep" / "b.jpg")
    sources = [str(tmp_path / "set" / "deep")]
    assert find_manifests(sources) == []
    [one] = find_inputs(sources)
    assert known(Manifest().of(one)) == ("deep", None, "", None, None, False)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"m\.jsonl, line 2: not JSON"),
        ("[]", "line 2: expected `object`"),
        ('{"source": "a"}', "line 2: .*missing .*`image`"),
        ('{"image": "a.jpg", "licence": []}', "line 2: licence: expected `str"),
    ],
)
def test_a_wrong_line_of_a_manifest_is_named(tmp_path: Path, line: str, message: str):
    file = tmp_path / "m.jsonl"
    file.write_text(f"\n{line}\n")
    with pytest.raises(UserError, match=message):
        Manifest([file])


def test_a_named_manifest_has_to_be_there(tmp_path: Path):
    with pytest.raises(UserError, match=r"--manifest .*gone\.jsonl: no such file"):
        find_manifests([], tmp_path / "gone.jsonl")


def test_a_folder_that_cannot_be_listed_is_an_input_with_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ["a.png", "locked/b.png"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    listing = os.scandir

    def scandir(path: str) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", scandir)
    good, bad = find_inputs([str(tmp_path)])
    assert (good.path, good.problem) == (tmp_path / "a.png", "")
    assert bad.path == tmp_path / "locked"
    assert "cannot be listed (Permission denied)" in bad.problem
    with pytest.raises(UserError, match="cannot be listed"):
        find_inputs([str(tmp_path / "locked")])
