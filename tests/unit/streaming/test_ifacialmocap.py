"""The text of iFacialMocap, taken apart as its developers' page describes it."""

from puppets import puppet, streamed

from amesh.streaming.ifacialmocap import packets

# The names in the example of ifacialmocap.com/for-developer.
NAMES = """mouthSmile_R eyeLookOut_L mouthUpperUp_L eyeWide_R mouthClose mouthPucker mouthRollLower
eyeBlink_R eyeLookDown_L cheekSquint_R eyeBlink_L tongueOut jawRight eyeLookIn_R cheekSquint_L
mouthDimple_L mouthPress_L eyeSquint_L mouthRight mouthShrugLower eyeLookUp_R eyeLookOut_R
mouthPress_R cheekPuff jawForward mouthLowerDown_L mouthFrown_L mouthShrugUpper browOuterUp_L
browInnerUp mouthDimple_R browDown_R mouthUpperUp_R mouthRollUpper mouthFunnel mouthStretch_R
mouthFrown_R eyeLookDown_R jawOpen jawLeft browDown_L mouthSmile_L noseSneer_R mouthLowerDown_R
noseSneer_L eyeWide_L mouthStretch_L browOuterUp_R eyeLookIn_L eyeSquint_R eyeLookUp_L mouthLeft"""


def test_convention_text_of_a_frame() -> None:
    [datagram] = packets(streamed(puppet(shapes={"mouthSmileLeft": 0.204, "eyeBlinkRight": 1.0})))
    shapes, _, rest = datagram.decode("ascii").partition("=")
    values = dict(one.split("-") for one in shapes.rstrip("|").split("|"))
    assert set(values) == set(NAMES.split())
    assert (values["mouthSmile_L"], values["eyeBlink_R"], values["eyeBlink_L"]) == (
        "20",
        "100",
        "0",
    )
    assert rest.endswith("|")
    bones = dict(one.split("#") for one in rest.rstrip("|").split("|"))
    assert list(bones) == ["head", "rightEye", "leftEye"]
    # Down, to the person's left, and to their right; metres, y up and z towards the viewer.
    assert [float(one) for one in bones["head"].split(",")] == [20, 30, -10, 0.01, -0.02, -0.5]
    assert [float(one) for one in bones["rightEye"].split(",")] == [4, 8, 0]
    assert bones["leftEye"] == bones["rightEye"]


def test_it_fits_one_frame_of_the_network() -> None:
    every = dict.fromkeys(("jawOpen", "mouthSmileLeft", "mouthSmileRight"), 1.0)
    [datagram] = packets(streamed(puppet(shapes=every)))
    assert len(datagram) < 1400


def test_without_a_face_nothing_is_sent() -> None:
    assert packets(streamed()) == []
