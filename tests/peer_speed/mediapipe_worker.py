"""Times the released network in MediaPipe's own runtime; runs in the oracle's environment.

For each line read, it runs a burst and writes the time of one inference [ms], so the caller can
alternate with another runtime. Two graphs alternate within a burst: picture to tensor only, and the
same followed by the InferenceCalculator (XNNPACK, one thread). The difference is inference; Python,
packets, the scheduler and the picture's conversion cancel out.

    python tests/peer_speed/mediapipe_worker.py [MODEL.tflite] [SIDE]
"""

import sys
import time
from pathlib import Path
from typing import Any

import mediapipe
import numpy as np
from mediapipe.python import packet_creator
from mediapipe.python._framework_bindings import calculator_graph, image_frame

MODEL = (
    Path(mediapipe.__file__).parent / "modules/face_landmark/face_landmark_with_attention.tflite"
)
BURST = 25

INFERENCE = """
    input_side_packet: "blob"
    node { calculator: "TfLiteModelCalculator" input_side_packet: "MODEL_BLOB:blob"
           output_side_packet: "MODEL:model" }
    node { calculator: "TfLiteCustomOpResolverCalculator"
           output_side_packet: "OP_RESOLVER:resolver" }
    node { calculator: "InferenceCalculator"
           input_stream: "TENSORS:input" output_stream: "TENSORS:all"
           input_side_packet: "MODEL:model" input_side_packet: "OP_RESOLVER:resolver"
           options { [mediapipe.InferenceCalculatorOptions.ext] {
               delegate { xnnpack { num_threads: 1 } } } } }
"""


class Timed:
    """A graph whose runs are timed, from the picture's input until the graph is idle."""

    def __init__(self, model: Path | None, side: int) -> None:
        self.graph = calculator_graph.CalculatorGraph(
            graph_config=f"""
            num_threads: 1
            input_stream: "image"
            node {{ calculator: "ImageToTensorCalculator"
                    input_stream: "IMAGE:image" output_stream: "TENSORS:input"
                    options {{ [mediapipe.ImageToTensorCalculatorOptions.ext] {{
                        output_tensor_width: {side} output_tensor_height: {side}
                        output_tensor_float_range {{ min: 0.0 max: 1.0 }} }} }} }}
            {INFERENCE if model else ""}
            """
        )
        packets: dict[str, Any] = {}
        if model:
            packets["blob"] = packet_creator.create_string(model.read_bytes())
        self.graph.start_run(packets)
        picture = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
        self.frame = image_frame.ImageFrame(mediapipe.ImageFormat.SRGB, picture)
        self.time = 0

    def __call__(self) -> tuple[float, float]:
        """Wall time and CPU time [s]."""
        self.time += 1
        packet = packet_creator.create_image_frame(self.frame).at(self.time)
        wall, cpu = time.perf_counter(), time.process_time()
        self.graph.add_packet_to_input_stream("image", packet)
        self.graph.wait_until_idle()
        return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Runs bursts until the input ends."""
    model = Path(sys.argv[1]) if len(sys.argv) > 1 else MODEL
    side = int(sys.argv[2]) if len(sys.argv) > 2 else 192
    whole, picture_only = Timed(model, side), Timed(None, side)
    for _ in sys.stdin:
        times = np.array([(whole(), picture_only()) for _ in range(BURST)])  # n 2 2
        medians = np.median(times, axis=0) * 1e3
        print(*(f"{one:.4f}" for one in medians[0] - medians[1]), flush=True)


if __name__ == "__main__":
    main()
