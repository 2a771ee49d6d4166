// Lines over a picture: mesh, contours, irises, the head's axes, the gaze.

import { CONTOURS, TRIANGLES, type Face } from '../lib/index';
import { FACE } from '../lib/effects/face-data';
import { headPose, sights, type Pose } from '../lib/effects/pose';
import { curve, loop, type Point } from '../lib/effects/splines';
import type { Drawing } from './settings';

const COLOURS: Record<string, string> = {
  face_oval: '#ffffff',
  lips_outer: '#ff7d9c',
  lips_inner: '#ff7d9c',
  right_eye: '#6fe3ff',
  left_eye: '#6fe3ff',
  right_eyebrow: '#ffc46b',
  left_eyebrow: '#ffc46b',
  nose: '#d9d4ff',
};
const IRIS = '#7df0c8';
const RED = '#ff5d5d';
const GREEN = '#5ddc8b';
const BLUE = '#5f9bff';
const GOLD = '#ffc857';
const AXIS = 60; // [mm]
const NOSE_TIP = 4;

const EDGES = edges(TRIANGLES);

/**
 * Draws on a context whose units are pixels of the picture.
 *
 * @param zoom Pixels of the screen per pixel of the picture: lines keep their width on the screen.
 */
export function drawFace(
  context: CanvasRenderingContext2D,
  { landmarks }: Face,
  drawings: ReadonlySet<Drawing>,
  zoom: number,
): void {
  const width = lineWidth(landmarks, zoom);
  context.lineCap = context.lineJoin = 'round';
  if (drawings.has('mesh')) drawMesh(context, landmarks, width);
  if (drawings.has('contours')) drawContours(context, landmarks, width);
  if (drawings.has('irises')) drawIrises(context, landmarks, width);
  if (!drawings.has('axes') && !drawings.has('gaze')) return;
  const pose = headPose(landmarks);
  if (drawings.has('axes')) drawAxes(context, pose);
  if (drawings.has('gaze')) drawGaze(context, landmarks, pose);
}

/** Finer lines on small faces: a mesh stays a mesh. */
function lineWidth(landmarks: Float32Array, zoom: number): number {
  const [a, b] = FACE.corners as [number, number];
  const eyes = Math.hypot(
    landmarks[3 * a]! - landmarks[3 * b]!,
    landmarks[3 * a + 1]! - landmarks[3 * b + 1]!,
  );
  return Math.min(Math.max(0.008 * eyes * zoom, 0.5), 1.6) / zoom;
}

function drawMesh(context: CanvasRenderingContext2D, landmarks: Float32Array, width: number): void {
  context.beginPath();
  for (let i = 0; i < EDGES.length; i += 2) {
    const [a, b] = [3 * EDGES[i]!, 3 * EDGES[i + 1]!];
    context.moveTo(landmarks[a]!, landmarks[a + 1]!);
    context.lineTo(landmarks[b]!, landmarks[b + 1]!);
  }
  context.strokeStyle = 'rgb(255 255 255 / 0.5)';
  context.lineWidth = 0.8 * width;
  context.stroke();
}

function drawContours(
  context: CanvasRenderingContext2D,
  landmarks: Float32Array,
  width: number,
): void {
  for (const [name, colour] of Object.entries(COLOURS)) {
    context.beginPath();
    for (const row of CONTOURS[name] ?? []) {
      const closed = row[0] === row.at(-1);
      trace(
        context,
        closed ? loop(points(landmarks, row.slice(1))) : curve(points(landmarks, row)),
        closed,
      );
    }
    context.strokeStyle = colour;
    context.lineWidth = 1.8 * width;
    context.stroke();
  }
}

function drawIrises(
  context: CanvasRenderingContext2D,
  landmarks: Float32Array,
  width: number,
): void {
  for (const { iris } of FACE.eyes) {
    const [centre, ...ring] = points(landmarks, iris) as [Point, Point, Point, Point, Point];
    context.beginPath();
    trace(context, ellipse(centre, ring), true);
    context.fillStyle = 'rgb(125 240 200 / 0.28)';
    context.fill();
    context.strokeStyle = IRIS;
    context.lineWidth = 1.4 * width;
    context.stroke();
    context.beginPath();
    context.arc(centre[0], centre[1], 1.3 * width, 0, 2 * Math.PI);
    context.fillStyle = IRIS;
    context.fill();
  }
}

function drawAxes(context: CanvasRenderingContext2D, pose: Pose): void {
  const tip = [0, 1, 2].map((axis) => FACE.points[3 * NOSE_TIP + axis]!) as [
    number,
    number,
    number,
  ];
  const ends = [
    [[1, 0, 0], RED],
    [[0, 1, 0], GREEN],
    [[0, 0, -1], BLUE],
  ] as const;
  const start = pose.place(tip);
  ends
    .map(([way, colour]) => ({
      colour,
      end: pose.place([tip[0] + AXIS * way[0], tip[1] + AXIS * way[1], tip[2] + AXIS * way[2]]),
    }))
    .sort((one, other) => other.end[2] - one.end[2]) // what is farther away first
    .forEach(({ colour, end }) => arrow(context, start, end, colour, 2.6 * pose.scale));
}

function drawGaze(context: CanvasRenderingContext2D, landmarks: Float32Array, pose: Pose): void {
  for (const { from, direction } of sights(landmarks, pose)) {
    const reach = AXIS * pose.scale;
    const end = [from[0] + reach * direction[0], from[1] + reach * direction[1]] as const;
    arrow(context, from, end, GOLD, 1.8 * pose.scale);
  }
}

/** An arrow with a dark rim that shows on any background. */
function arrow(
  context: CanvasRenderingContext2D,
  start: ArrayLike<number>,
  end: ArrayLike<number>,
  colour: string,
  width: number,
): void {
  const [dx, dy] = [end[0]! - start[0]!, end[1]! - start[1]!];
  const length = Math.hypot(dx, dy);
  const head = Math.min(4 * width, length / 2);
  const [x, y] = length > 0 ? [dx / length, dy / length] : [0, 0];
  const neck = [end[0]! - head * x, end[1]! - head * y] as const;
  const aside = 0.55 * head;
  for (const [stroke, extra] of [
    ['rgb(16 16 20 / 0.75)', 0.8 * width],
    [colour, 0],
  ] as const) {
    context.strokeStyle = context.fillStyle = stroke;
    context.lineWidth = width + extra;
    context.beginPath();
    context.moveTo(start[0]!, start[1]!);
    context.lineTo(neck[0], neck[1]);
    context.stroke();
    context.beginPath();
    trace(
      context,
      [
        [end[0]!, end[1]!],
        [neck[0] - aside * y, neck[1] + aside * x],
        [neck[0] + aside * y, neck[1] - aside * x],
      ],
      true,
    );
    context.lineWidth = Math.max(extra, 0.2 * width);
    context.stroke();
    context.fill();
  }
}

/** The ellipse through two pairs of opposite points. */
function ellipse(centre: Point, [a, b, c, d]: readonly [Point, Point, Point, Point]): Point[] {
  return Array.from({ length: 32 }, (_, i) => {
    const [cos, sin] = [Math.cos((Math.PI * i) / 16) / 2, Math.sin((Math.PI * i) / 16) / 2];
    return [
      centre[0] + cos * (a[0] - c[0]) + sin * (b[0] - d[0]),
      centre[1] + cos * (a[1] - c[1]) + sin * (b[1] - d[1]),
    ];
  });
}

function points(landmarks: Float32Array, rows: readonly number[]): Point[] {
  return rows.map((row) => [landmarks[3 * row]!, landmarks[3 * row + 1]!]);
}

function trace(context: CanvasRenderingContext2D, line: readonly Point[], closed: boolean): void {
  line.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  if (closed) context.closePath();
}

/** Each edge of the triangles once. */
function edges(triangles: ArrayLike<number>): Uint16Array {
  const found = new Map<number, [number, number]>();
  for (let i = 0; i < triangles.length; i++) {
    const a = triangles[i]!;
    const b = triangles[i % 3 === 2 ? i - 2 : i + 1]!;
    found.set(1024 * Math.min(a, b) + Math.max(a, b), [a, b]);
  }
  return Uint16Array.from([...found.values()].flat());
}
