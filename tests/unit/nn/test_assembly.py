from dataclasses import replace

import pytest
import torch

from amesh.nn.assembly import Assembly
from amesh.nn.config import NAMED

TINY = NAMED["tiny-128"]


@pytest.mark.parametrize("mesh_irises", [True, False])
def test_assembly_puts_every_prediction_at_its_landmark(mesh_irises: bool):
    config = replace(TINY, mesh_irises=mesh_irises)
    scheme, rows = config.load_topology(), config.mesh_indices
    assert len(rows) == (478 if mesh_irises else 468)
    mesh = torch.tensor(rows)[None, :, None] + torch.tensor([0.0, 0.1, 0.2])  # b m 3
    regions = {}
    for region in scheme.regions:
        for part in (region, region.iris) if region.iris else (region,):
            marked = 1000.0 + torch.tensor(part.indices)
            regions[part.name] = marked[None, :, None].expand(1, -1, 2)
    landmarks = Assembly(config)(mesh, regions)[0]
    refined = {i for r in scheme.regions for i in (*r.indices, *(r.iris.indices if r.iris else ()))}
    for i in range(478):
        expected = [1000.0 + i] * 2 if i in refined else [i, i + 0.1]
        assert landmarks[i, :2].tolist() == pytest.approx(expected)
        if i < 468 or mesh_irises:
            assert landmarks[i, 2].item() == pytest.approx(i + 0.2)
    if not mesh_irises:
        for iris in scheme.irises:
            mean = sum(iris.z_from) / 16 + 0.2
            assert landmarks[list(iris.indices), 2].tolist() == pytest.approx([mean] * 5, abs=1e-3)
