// The puppet's surface: the landmarks' mesh, and a skull that closes it behind.

import { BufferAttribute, BufferGeometry } from 'three';
import { FACE } from '../lib/effects/face-data';
import type { Pose } from '../lib/effects/pose';
import { turn } from '../lib/effects/rotation';
import { loop } from '../lib/effects/splines';

const RINGS = 9; // of the skull, behind the outline of the face
const POINTS = FACE.template.length / 3;
const PER_POINT = 3; // columns of the skull for each point of the outline: a round silhouette
const COLUMNS = PER_POINT * FACE.oval.length;
// The back of the head as an ellipsoid, in the head's axes [mm].
const CENTRE = [0, -32, 22] as const;
const RADII = [79, 98, 92] as const;

type Vector = [x: number, y: number, z: number];

/** Geometries that share their points; in three's axes (y up, z to the viewer) [mm]. */
export class HeadSurface {
  readonly skin = new BufferGeometry();
  readonly eyes = new BufferGeometry();
  readonly mouth = new BufferGeometry();
  private readonly position = new Float32Array(3 * (POINTS + RINGS * COLUMNS));
  private readonly edges: number[];

  constructor() {
    const { skin, eyes, mouth } = parts();
    const skull = skullTriangles();
    this.skin.setIndex([...skin, ...skull]);
    this.eyes.setIndex(eyes);
    this.mouth.setIndex(mouth);
    const uv = [...FACE.uv];
    for (let i = 0; i < RINGS * COLUMNS; i++) {
      const row = FACE.oval[Math.floor((i % COLUMNS) / PER_POINT)]!;
      uv.push(FACE.uv[2 * row]!, FACE.uv[2 * row + 1]!);
    }
    for (let i = 1; i < uv.length; i += 2) uv[i] = 1 - uv[i]!; // textures of three begin at the bottom
    const position = new BufferAttribute(this.position, 3);
    for (const geometry of [this.skin, this.eyes, this.mouth])
      geometry.setAttribute('position', position);
    this.skin.setAttribute('uv', new BufferAttribute(Float32Array.from(uv), 2));
    this.edges = edgesOf([...skin, ...skull]);
  }

  /** Moves the surface to a face; returns the points. */
  follow(landmarks: Float32Array, pose: Pose): Float32Array {
    const { rotation, scale } = pose;
    const middle = pose.place([0, 0, 0]);
    for (let i = 0; i < 3 * POINTS; i += 3) {
      this.position[i] = (landmarks[i]! - middle[0]) / scale;
      this.position[i + 1] = -(landmarks[i + 1]! - middle[1]) / scale;
      this.position[i + 2] = -(landmarks[i + 2]! - middle[2]) / scale;
    }
    outline(this.position, rotation).forEach((start, column) => {
      for (let ring = 0; ring < RINGS; ring++) {
        const [x, y, z] = turn(rotation, ...onSkull(start, (ring + 1) / RINGS));
        this.position.set([x, -y, -z], 3 * (POINTS + ring * COLUMNS + column));
      }
    });
    for (const geometry of [this.skin, this.eyes, this.mouth]) {
      geometry.attributes.position!.needsUpdate = true;
      geometry.computeVertexNormals();
      geometry.computeBoundingSphere();
    }
    return this.position;
  }

  /** Writes where the surface's edges are. */
  writeEdges(lines: BufferGeometry): void {
    const { edges, position } = this;
    const written = new Float32Array(3 * edges.length);
    edges.forEach((point, i) => written.set(position.subarray(3 * point, 3 * point + 3), 3 * i));
    lines.setAttribute('position', new BufferAttribute(written, 3));
  }
}

/** On the great circle from a point of the face's outline to the back of the head. */
function onSkull(start: Vector, share: number): Vector {
  const way = start.map((value, i) => value - CENTRE[i]!) as [number, number, number];
  const length = Math.hypot(...way);
  const d = way.map((value) => value / length) as [number, number, number];
  const angle = Math.acos(Math.min(Math.max(d[2], -1), 1)); // to the back
  const sine = Math.max(Math.sin(angle), 1e-6);
  const [a, b] = [Math.sin((1 - share) * angle) / sine, Math.sin(share * angle) / sine];
  const here = [a * d[0], a * d[1], a * d[2] + b] as const;
  const ellipsoid = 1 / Math.hypot(here[0] / RADII[0], here[1] / RADII[1], here[2] / RADII[2]);
  const blend = Math.min(share / 0.5, 1);
  const radius = length + blend * blend * (3 - 2 * blend) * (ellipsoid - length);
  return [CENTRE[0] + radius * here[0], CENTRE[1] + radius * here[1], CENTRE[2] + radius * here[2]];
}

/** The outline of the face as a smooth line, in the head's axes. */
function outline(position: Float32Array, rotation: readonly number[]): Vector[] {
  const corners = FACE.oval.map((row) => {
    const at = 3 * row;
    return turnBack(rotation, position[at]!, -position[at + 1]!, -position[at + 2]!);
  });
  const flat = loop(corners.map(([x, y]) => [x, y]));
  const deep = loop(corners.map(([, , z]) => [z, 0]));
  const every = flat.length / COLUMNS;
  return Array.from({ length: COLUMNS }, (_, i) => [...flat[i * every]!, deep[i * every]![0]]);
}

function skullTriangles(): number[] {
  const point = (ring: number, column: number): number =>
    POINTS + ring * COLUMNS + (column % COLUMNS);
  const triangles: number[] = [];
  FACE.oval.forEach((here, i) => {
    const next = FACE.oval[(i + 1) % FACE.oval.length]!;
    const first = PER_POINT * i;
    for (let column = first; column < first + PER_POINT; column++) {
      triangles.push(here, point(0, column + 1), point(0, column));
    }
    triangles.push(here, next, point(0, first + PER_POINT));
  });
  for (let ring = 0; ring < RINGS - 1; ring++) {
    for (let column = 0; column < COLUMNS; column++) {
      const [a, b] = [point(ring, column), point(ring, column + 1)];
      const [c, d] = [point(ring + 1, column), point(ring + 1, column + 1)];
      triangles.push(a, b, c, b, d, c);
    }
  }
  return triangles;
}

/** The face's triangles by what they show; the irises are drawn otherwise. */
function parts(): { skin: number[]; eyes: number[]; mouth: number[] } {
  const result = { skin: [] as number[], eyes: [] as number[], mouth: [] as number[] };
  const inner = FACE.lips[1]!;
  const mouth = new Set([...inner.upper, ...inner.lower]);
  const eyes = FACE.eyes.map((eye) => new Set([...eye.upper, ...eye.lower]));
  const irises = new Set(FACE.eyes.flatMap((eye) => eye.iris));
  for (let i = 0; i < FACE.triangles.length; i += 3) {
    const corners = FACE.triangles.slice(i, i + 3);
    const within = (set: Set<number>): boolean => corners.every((corner) => set.has(corner));
    if (corners.some((corner) => irises.has(corner))) continue;
    (within(mouth) ? result.mouth : eyes.some(within) ? result.eyes : result.skin).push(...corners);
  }
  return result;
}

function edgesOf(triangles: readonly number[]): number[] {
  const found = new Map<number, [number, number]>();
  for (let i = 0; i < triangles.length; i++) {
    const [a, b] = [triangles[i]!, triangles[i % 3 === 2 ? i - 2 : i + 1]!];
    found.set(4096 * Math.min(a, b) + Math.max(a, b), [a, b]);
  }
  return [...found.values()].flat();
}

function turnBack(m: readonly number[], x: number, y: number, z: number): Vector {
  return [
    m[0]! * x + m[3]! * y + m[6]! * z,
    m[1]! * x + m[4]! * y + m[7]! * z,
    m[2]! * x + m[5]! * y + m[8]! * z,
  ];
}
