from amesh.weights.origin import origin_line, origin_lines

START = {"weights": "released-192", "source": "mediapipe 0.10.21", "licence": "Apache-2.0"}
TRAINED = {
    "weights": "mine",
    "source": "amesh fit",
    "steps": 9000,
    "licences": {"MIT": 1305, "CC0-1.0": 53},
    "warm_start": START,
}


def test_an_origin_is_a_line_for_each_fact() -> None:
    assert origin_lines({"source": "amesh weights average", "averaged": [TRAINED, START]}) == [
        "source      amesh weights average",
        "mean, 1 of 2: mine",
        "  source      amesh fit",
        "  steps       9000",
        "  faces       1,358 in training, by licence:",
        "       1,305  MIT",
        "          53  CC0-1.0",
        "  started from released-192",
        "    source      mediapipe 0.10.21",
        "    licence     Apache-2.0",
        "mean, 2 of 2: released-192, as above",
    ]


def test_a_line_says_what_weights_were_made_from() -> None:
    assert origin_line(START) == "mediapipe 0.10.21"
    assert origin_line(TRAINED) == "amesh fit, started from released-192"
    assert (
        origin_line({"source": "x", "averaged": [TRAINED, START]}) == "x, of mine and released-192"
    )
    assert origin_line({}) == "source not stated"
