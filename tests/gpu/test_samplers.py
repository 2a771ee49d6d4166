import pytest
import torch

from amesh.geometry import sampling


def thetas(count: int) -> torch.Tensor:
    """Crops of all kinds, some crossing the border."""
    generator = torch.Generator().manual_seed(3)
    linear = torch.randn(count, 2, 2, generator=generator) * 0.4
    shift = torch.rand(count, 2, 1, generator=generator) * 1.6 - 0.8
    return torch.cat([linear, shift], -1)


@pytest.mark.parametrize("name", ["affine", "gather", "gaussian"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_crops_and_their_gradients_agree(
    device: torch.device, exact: None, name: str, layout: torch.memory_format
) -> None:
    maps = torch.rand(16, 32, 64, 64).contiguous(memory_format=layout)
    factors = torch.rand(16, 32, 24, 24)
    found = []
    for where in (torch.device("cpu"), device):
        features = maps.to(where).requires_grad_()
        theta = thetas(16).to(where).requires_grad_()
        sigma = torch.tensor(0.6, device=where, requires_grad=True)
        more = (sigma,) if name == "gaussian" else ()
        crop = getattr(sampling, name)(features, theta, 24, *more)
        gradients = torch.autograd.grad((crop * factors.to(where)).sum(), (features, theta, *more))
        found.append([crop.detach().cpu(), *(gradient.cpu() for gradient in gradients)])
    (crop, of_map, *of_places), (other, other_map, *other_places) = found
    # A point on the border may be inside on one device and outside on the other.
    assert ((crop - other).abs().amax(1) > 1e-4).float().mean() < 1e-4
    assert ((of_map - other_map).abs() > 1e-3).float().mean() < 1e-3
    for ours, theirs in zip(of_places, other_places, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1.0)
