"""The text of iFacialMocap over UDP, version 1 (ifacialmocap.com/for-developer): one face.

Convention
    Angles [degrees] about axes as ARKit has them, right-handed: x to the subject's left, y up, z
    out of the face. So pitch is positive down, yaw to the subject's left, roll to their right. The
    position is in the camera's axes, with y up and z towards the viewer [m].
"""

from amesh.effects.blendshapes import NAMES
from amesh.streaming.state import FrameState

_MM_PER_M = 1000


def packets(frame: FrameState) -> list[bytes]:
    """The datagram of a frame; none without a face: the protocol has no word for it."""
    face = frame.main
    if face is None:
        return []
    values = face.blendshapes.tolist()
    shapes = [f"{name}-{round(100 * value)}|" for name, value in zip(_NAMES, values, strict=True)]
    (yaw, pitch, roll), (x, y, z) = face.rotation, face.position
    place = ",".join(f"{one / _MM_PER_M:.4f}" for one in (x, -y, -z))
    head = f"=head#{pitch:.3f},{yaw:.3f},{-roll:.3f},{place}|"
    right, down = face.gaze
    gaze = f"#{down:.3f},{right:.3f},0|"
    return ["".join([*shapes, head, "rightEye", gaze, "leftEye", gaze]).encode("ascii")]


def _short(name: str) -> str:
    """`mouthSmile_L` of a pair, one on each side; directions such as `mouthLeft` stay."""
    if name.startswith("jaw") or name in ("mouthLeft", "mouthRight"):
        return name
    for side in ("Left", "Right"):
        if name.endswith(side):
            return f"{name.removesuffix(side)}_{side[0]}"
    return name


_NAMES = tuple(map(_short, NAMES))
