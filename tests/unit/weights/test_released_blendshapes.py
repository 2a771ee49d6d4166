"""Reading Google's blendshape network."""

import numpy as np
import pytest

from amesh.errors import UserError
from amesh.weights import install, released_blendshapes


@pytest.mark.weights
def test_another_file_is_refused() -> None:
    detector = install.read_original("detector-short")
    with pytest.raises(UserError, match=r"not Google's blendshape network: .* are .*, 0, 0"):
        released_blendshapes.convert(detector)


@pytest.mark.weights
def test_it_agrees_with_litert_on_a_batch() -> None:
    litert = pytest.importorskip("amesh.deploy.litert.interpreter")
    from amesh.effects.released_blendshapes import LANDMARKS

    interpreter = litert.open_interpreter(install.read_original("face-blendshapes"))
    faces = np.random.default_rng(0).normal(300, 80, (3, 478, 2))
    expected = []
    for points in faces[:, LANDMARKS].astype(np.float32):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], points[None])
        interpreter.invoke()
        output = interpreter.get_output_details()[0]["index"]
        expected.append(interpreter.get_tensor(output)[1:].copy())
    found = released_blendshapes.read_network()(faces)
    np.testing.assert_allclose(found, expected, atol=1e-5)
