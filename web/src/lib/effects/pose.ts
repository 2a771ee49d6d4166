// How a head is turned and where its eyes look, from landmarks alone: for drawing, not for measuring.
//
// The picture is taken as seen from far away, so that no focal length is needed. Away from the
// picture's middle this errs by some degrees; Python's `head_pose` and `eyes` know the camera.

import constants from '../constants.json';
import { FACE } from './face-data';
import { fit, turn, type Matrix3 } from './rotation';

type Vector = readonly [x: number, y: number, z: number];

/** x right, y down, z away from the viewer. */
export interface Pose {
  /** From the head's axes (x to the subject's left, y down, z into the head). */
  rotation: Matrix3;
  /** Pixels per millimetre of the average face. */
  scale: number;
  /** Places a point of the head [mm] in the picture [px]. */
  place: (point: Vector) => [x: number, y: number, z: number];
  /** As in Python: yaw to the picture's right, pitch down, roll clockwise [degrees]. */
  yaw: number;
  pitch: number;
  roll: number;
}

// As in amesh/effects/eyes.py: the eyeball's centre from the middle of the corners of each eye [mm],
// and the distance from there to the rim of the iris.
const BALL_FROM_CORNERS = constants.eyes.ballFromCorners as unknown as readonly Vector[];
const REACH = constants.eyes.reach;
const CLOSED = constants.eyes.closed; // lids nearer than this share of the eye's width show no gaze

/** The pose of a head. */
export function headPose(landmarks: ArrayLike<number>): Pose {
  const { rotation, scale, from, to } = fit(FACE.points, landmarks, FACE.rigid);
  const place = ([x, y, z]: Vector): [number, number, number] => {
    const turned = turn(rotation, x - from[0]!, y - from[1]!, z - from[2]!);
    return [to[0]! + scale * turned[0], to[1]! + scale * turned[1], to[2]! + scale * turned[2]];
  };
  // The head looks along -z of its own axes; rotation = yaw @ pitch @ roll.
  const degrees = (radians: number): number => (radians * 180) / Math.PI;
  const [x, y, z] = [-rotation[2]!, -rotation[5]!, -rotation[8]!];
  return {
    rotation,
    scale,
    place,
    yaw: degrees(Math.atan2(x, -z)),
    pitch: degrees(Math.asin(Math.min(Math.max(y, -1), 1))),
    roll: degrees(Math.atan2(rotation[3]!, rotation[4]!)),
  };
}

/** Where an eye is and where both eyes look: a unit vector. */
export interface Sight {
  from: readonly [x: number, y: number];
  direction: Vector;
}

/** The sight of the eyes that are open. */
export function sights(landmarks: ArrayLike<number>, pose: Pose): Sight[] {
  const at = (row: number): [number, number] => [landmarks[3 * row]!, landmarks[3 * row + 1]!];
  const open = FACE.eyes.flatMap((eye, side) => {
    if (opening(eye.upper, eye.lower, at) < CLOSED) return [];
    const [outer, inner] = [eye.upper[0]!, eye.upper.at(-1)!];
    const [a, b] = [at(outer), at(inner)];
    const ball = turn(pose.rotation, ...BALL_FROM_CORNERS[side]!);
    const iris = at(eye.iris[0]!);
    const reach = REACH * pose.scale;
    const x = (iris[0] - (a[0] + b[0]) / 2) / reach - (ball[0] * pose.scale) / reach;
    const y = (iris[1] - (a[1] + b[1]) / 2) / reach - (ball[1] * pose.scale) / reach;
    const z = -Math.sqrt(Math.max(1 - x * x - y * y, 0));
    return [{ from: iris, direction: [x, y, z] as const }];
  });
  // What the shape of one's eyes adds to the gaze of one eye mostly cancels in the mean.
  const sum = [0, 1, 2].map((i) => open.reduce((total, sight) => total + sight.direction[i]!, 0));
  const length = Math.max(Math.hypot(...sum), 1e-9);
  const direction: Vector = [sum[0]! / length, sum[1]! / length, sum[2]! / length];
  return open.map(({ from }) => ({ from, direction }));
}

function opening(
  upper: readonly number[],
  lower: readonly number[],
  at: (row: number) => [number, number],
): number {
  const apart = (a: number, b: number): number =>
    Math.hypot(at(a)[0] - at(b)[0], at(a)[1] - at(b)[1]);
  let sum = 0;
  for (let i = 2; i < upper.length - 2; i++) sum += apart(upper[i]!, lower[i]!);
  return sum / (upper.length - 4) / Math.max(apart(upper[0]!, upper.at(-1)!), 1e-9);
}
