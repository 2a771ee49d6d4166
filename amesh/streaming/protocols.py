"""The protocols of `amesh run --stream` that send datagrams: a table, which the help shows.

To add a protocol, add a row, and a module with `packets`, which is imported when it is asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A protocol.

    Attributes:
        packets: The function that makes the datagrams of a frame.
        port: Where its receivers listen, if they agree on it.
        about: What it sends, and to whom, for the help.
    """

    packets: str
    port: int | None
    about: str


# In the order of the help.
PROTOCOLS: Mapping[str, Row] = {
    "vmc": Row("amesh.streaming.vmc:packets", 39539, "one face, to programs for VRM avatars"),
    "ifacialmocap": Row(
        "amesh.streaming.ifacialmocap:packets", 49983, "one face, in the place of that app"
    ),
    "osc": Row(
        "amesh.streaming.osc:packets",
        None,
        "all faces, as OSC messages such as /amesh/face/0/jawOpen",
    ),
}
