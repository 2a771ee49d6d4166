import pytest

from amesh.deploy.tensorrt.library import Batches, assert_precision, census, release
from amesh.deploy.tensorrt.runner import choose_profile, summarise
from amesh.errors import UserError


def test_census_of_version_10():
    report = {
        "Layers": [
            "a layer by name only",
            {
                "Name": "stem",
                "LayerType": "CaskConvolution",
                "Inputs": [
                    {"Dimensions": [1, 3, 8, 8], "Format/Datatype": "Row major linear FP32"}
                ],
                "Outputs": [
                    {"Dimensions": [1, 4, 4, 4], "Format/Datatype": "Channel major FP16 format"}
                ],
                "Weights": {"Type": "Half", "Count": 108},
                "Bias": {"Type": "Float", "Count": 4},
            },
            {"Outputs": [{"Dimensions": [2, 5], "Format/Datatype": "Int8"}]},
            {"Outputs": [{"Dimensions": [7], "Format/Datatype": "N/A due to dynamic shapes"}]},
        ],
        "Bindings": ["image", "landmarks"],
    }
    assert census(report) == {"fp16": 64 + 108, "fp32": 4, "int8": 10, "other": 7}


def test_census_of_version_11():
    report = {
        "Layers": [
            {
                "Outputs": [
                    {"Dimensions": [-1, 6], "Datatype": "Half", "Format": "Row major linear"},
                    {"Dimensions": [2], "DataType": "Int32", "Format": "Row major linear"},
                    {"Dimensions": [3], "DataType": "BFloat16", "Format": "Row major linear"},
                    {"Dimensions": [], "DataType": "Float", "Format": "Row major linear"},
                ]
            }
        ],
        "I/O Tensors": [{"Name": "image", "DataType": "Float"}],
    }
    assert census(report) == {"fp16": 6, "other": 5, "fp32": 1}


@pytest.mark.parametrize(
    ("wanted", "counts"),
    [
        ("fp32", {"fp32": 9, "other": 3}),
        ("fp16", {"fp32": 9, "fp16": 90}),
        ("int8", {"fp32": 9, "fp16": 90, "int8": 5}),
    ],
)
def test_the_precision_that_was_asked_for(wanted: str, counts: dict[str, int]):
    assert_precision(counts, wanted)
    for other in {"fp32", "fp16", "int8"} - {wanted}:
        with pytest.raises(UserError, match=f"asked for {other}.*built"):
            assert_precision(counts, other)


def test_an_engine_that_does_not_say_what_it_was_built_for():
    with pytest.raises(UserError, match="does not tell its types"):
        assert_precision(census({"Layers": ["stem", "head"]}), "fp16")


def test_batch_one_gets_its_own_profile():
    ranges = (Batches(1, 8, 64), Batches(1, 1, 1))
    assert [choose_profile(batch, ranges) for batch in (1, 2, 64)] == [1, 0, 0]
    assert choose_profile(4, (Batches(4, 4, 4),)) == 0


@pytest.mark.parametrize("batch", [0, 65])
def test_a_batch_outside_the_profiles(batch: int):
    ranges = (Batches(1, 8, 64), Batches(1, 1, 1))
    with pytest.raises(UserError, match=rf"batch {batch} .*\(1 to 64 and 1\)"):
        choose_profile(batch, ranges)


def test_timings():
    timing = summarise(4, [1.0, 2.0, 3.0, 2.0, 2.0], [5.0, 6.0, 4.0])
    assert (timing.median, timing.with_copies, timing.crops_per_second) == (2.0, 5.0, 2000.0)
    assert timing.low < timing.median < timing.high


def test_release():
    assert release("10.13.3.9.post1") == (10, 13)
    assert release("11.4.0.106") > release("10.16.1")
    assert release("unknown") == (0, 0)
