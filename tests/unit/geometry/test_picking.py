from collections.abc import Callable

import torch

from amesh.geometry.picking import pick, rows


def test_convention_pick_is_indexing_with_a_list():
    for shape in ((2, 5), (2, 5, 3), (2, 5, 3, 4)):
        values = torch.rand(shape, requires_grad=True)
        picked, expected = pick(values, (3, 1)), values[:, [3, 1]]
        assert torch.equal(picked, expected)
        factors = torch.rand_like(expected)
        ours, theirs = (
            torch.autograd.grad((v * factors).sum(), values)[0] for v in (picked, expected)
        )
        assert torch.equal(ours, theirs)


def test_indices_are_copied_to_the_device_once():
    assert rows((4, 2), "cpu") is rows((4, 2), "cpu")


def test_indices_cached_during_validation_work_in_training():
    rows.cache_clear()
    with torch.inference_mode():
        pick(torch.rand(1, 9), (7, 8))
    values = torch.rand(1, 9, requires_grad=True)
    pick(values, (7, 8)).sum().backward()
    assert values.grad is not None
    assert values.grad.sum() == 2


def test_an_exported_graph_contains_the_indices(run_python: Callable[[str], str]):
    code = """
import torch
from amesh.geometry.picking import pick, rows

class Two(torch.nn.Module):
    def forward(self, x):
        return pick(x, (2, 0))

for strict in (True, False):
    program = torch.export.export(Two(), (torch.rand(1, 4, 3),), strict=strict)
    x = torch.rand(1, 4, 3)
    assert torch.equal(program.module()(x), x[:, [2, 0]])
assert rows.cache_info().currsize == 0
print(type(rows((2, 0), "cpu")).__name__)
"""
    assert run_python(code).split()[-1] == "Tensor"
