import pytest
import torch

from amesh.torch_threads import torch_threads


@pytest.mark.parametrize(("wanted", "inside"), [(1, 1), (2, 2), (0, 3)])
def test_threads_are_as_before_afterwards(wanted: int, inside: int):
    torch.set_num_threads(3)
    seen = []

    def fail() -> None:
        with torch_threads(wanted):
            seen.append(torch.get_num_threads())
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert seen == [inside]
    assert torch.get_num_threads() == 3
