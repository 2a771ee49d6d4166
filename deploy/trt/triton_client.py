"""Finds faces in a picture, sends their crops to Triton, and prints landmarks as JSON.

`triton_client.py --url localhost:8000 --model paper-256-fp16 photo.jpg`; it needs
`pip install 'tritonclient[http]'`. The detector and the cropping run here, the network there.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from amesh import FaceMesh
from amesh.deploy.signature import EXPECTED_ERROR, INPUT, OUTPUTS
from amesh.errors import UserError
from amesh.runner import RunnerOutput
from amesh.topology import load


class TritonRunner:
    """A network on a Triton server, as an `amesh.runner.Runner`."""

    def __init__(self, client: Any, http: Any, name: str, topology: str = "face478") -> None:
        """Asks the server for the network's shapes.

        Args:
            client: An `InferenceServerClient`.
            http: The module `tritonclient.http`.
            name: Name of the model on the server.
            topology: Name of its landmark scheme.

        Raises:
            UserError: The server has no such network of amesh, or it takes bytes.
        """
        described = client.get_model_metadata(name)
        inputs = {one["name"]: one["shape"] for one in described["inputs"]}
        self.outputs = [one["name"] for one in described["outputs"]]
        if set(inputs) != {INPUT} or not set(OUTPUTS) <= set(self.outputs):
            raise UserError(f"{name}: not a landmark network of amesh")
        if described["inputs"][0]["datatype"] != "FP32":
            raise UserError(f"{name}: takes bytes; this client sends numbers in [0, 1]")
        self.client, self.http, self.name = client, http, name
        self.topology = load(topology)
        self.input_size = int(inputs[INPUT][-1])

    def __call__(self, crops: np.ndarray) -> RunnerOutput:
        """Predicts the landmarks of RGB crops in [0, 1], (b s s 3)."""
        pixels = np.ascontiguousarray(crops.transpose(0, 3, 1, 2))
        image = self.http.InferInput(INPUT, list(pixels.shape), "FP32")
        image.set_data_from_numpy(pixels)
        wanted = [self.http.InferRequestedOutput(name) for name in self.outputs]
        answer = self.client.infer(self.name, [image], outputs=wanted)
        found = {name: answer.as_numpy(name) for name in self.outputs}
        return RunnerOutput(
            found[OUTPUTS[0]], found[OUTPUTS[1]].reshape(len(crops)), found.get(EXPECTED_ERROR)
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the script; 0: done, 2: a mistake, or no server."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pictures", nargs="+", metavar="PICTURE")
    parser.add_argument("--url", default="localhost:8000", help="of Triton's HTTP service")
    parser.add_argument("--model", required=True, help="name of the model on the server")
    options = parser.parse_args(arguments)
    try:
        import tritonclient.http as http
    except ImportError:
        print("triton_client.py: pip install 'tritonclient[http]'", file=sys.stderr)
        return 2
    try:
        find = FaceMesh(TritonRunner(http.InferenceServerClient(options.url), http, options.model))
        for picture in options.pictures:
            for face in find(picture):
                print(json.dumps({"image": picture, "landmarks": face.landmarks.tolist()}))
    except UserError as error:
        print(f"triton_client.py: {error}", file=sys.stderr)
        return 2
    except (http.InferenceServerException, OSError) as error:
        print(f"triton_client.py: {options.url}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
