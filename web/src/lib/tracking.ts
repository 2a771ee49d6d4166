/**
 * Follows faces from frame to frame: the detector runs only while a place is free.
 *
 * The square of a face in the next frame follows from its unfiltered landmarks in this one. Where a
 * face is lost, the detector looks for another at once, in the same frame. These are the rules and
 * the numbers of the Python package's `amesh/pipeline/tracking.py`, which says where they come from.
 */

import { lookAgain } from './again';
import constants from './constants.json';
import type { Look } from './look';
import { scoreOf } from './look';
import type { OneEuro } from './one-euro';
import { Smoother } from './one-euro';
import type { Region } from './region';
import { apart, boxOf, fromLandmarks } from './region';

/** What finds faces in the present frame, and looks at regions of it. */
export interface Frame {
  width: number;
  height: number;
  detect(): Promise<Region[]>;
  look(regions: readonly Region[]): Promise<Look[]>;
}

/** A face of a frame. */
export interface Tracked {
  id: number;
  look: Look;
  /** Landmarks after smoothing (478 x 3) [image px]. */
  landmarks: Float64Array;
}

export interface TrackerSettings {
  maxFaces: number;
  minScore: number;
  /** Frames from one run of the detector to the next while a place is free. */
  detectEvery: number;
  smoothing: OneEuro | null;
}

interface Track {
  id: number;
  look: Look;
  /** Where it will be looked for in the next frame. */
  region: Region;
  step: [number, number];
  smoother: Smoother | null;
}

interface Settled {
  look: Look;
  own: Region;
  good: boolean;
}

const {
  // How well the square that landmarks ask for agrees with the one that was looked at: distance of
  // the centres [sides], ratio of the sides, angle. Otherwise the face is looked at again.
  settled: SETTLED,
  far: FAR, // a face this many times larger or smaller than its square asks for is nonsense
  jump: JUMP, // a centre that moves farther in one frame is another face [sides]
  same: SAME, // a detection this near to a tracked face is the same face [sides]
  shared: SHARED, // of the smaller of two boxes in the other: the two are one face
} = constants.tracking;

/** Follows the faces of one source of frames, whatever runs the networks. */
export class Tracker {
  #tracks: Track[] = [];
  #waited = Infinity;
  #ids = 0;
  #shape = '';

  constructor(readonly settings: TrackerSettings) {}

  /** Forgets all faces; ids go on counting. */
  reset(): void {
    this.#tracks = [];
    this.#waited = Infinity;
  }

  /** The faces of the next frame, taken at this time [s], in the order of their ids. */
  async next(frame: Frame, time: number): Promise<Tracked[]> {
    const shape = `${frame.width} x ${frame.height}`;
    if (shape !== this.#shape) this.reset();
    this.#shape = shape;
    this.#waited++;
    const followed = this.#tracks.length;
    await this.#follow(frame);
    const lost = this.#tracks.length < followed;
    if (this.#free > 0 && (lost || this.#waited >= this.settings.detectEvery)) {
      await this.#find(frame);
    }
    return this.#tracks.map(({ id, look, smoother }) => ({
      id,
      look,
      landmarks: smoother ? smoother.next(look.landmarks, time) : look.landmarks,
    }));
  }

  get #free(): number {
    return this.settings.maxFaces - this.#tracks.length;
  }

  async #follow(frame: Frame): Promise<void> {
    if (!this.#tracks.length) return;
    const last = this.#tracks.map((track) => track.region);
    const settled = await this.#settle(frame, await frame.look(last), false);
    let kept = settled
      .map((one, i) => ({ ...one, track: this.#tracks[i]!, last: last[i]! }))
      .filter(({ good, own, last }) => good && apart(own, last) <= JUMP);
    // Of two on one face, the one whose own motion led there stays: the other has jumped.
    const strayed = kept.map(({ own, last, track }) =>
      apart(own, { ...last, cx: last.cx + track.step[0], cy: last.cy + track.step[1] }),
    );
    const repeated = repeats(
      kept.map(({ look }) => look.landmarks),
      strayed.map((distance) => -distance),
    );
    kept = kept.filter((_, i) => !repeated[i]);
    for (const { track, look, own, last } of kept) {
      track.look = look;
      track.region = own;
      track.step = [own.cx - last.cx, own.cy - last.cy];
    }
    this.#tracks = kept.map(({ track }) => track);
  }

  async #find(frame: Frame): Promise<void> {
    this.#waited = 0;
    let found = await frame.detect();
    found = found.filter((one) => this.#tracks.every((track) => apart(one, track.region) >= SAME));
    while (found.length && this.#free > 0) {
      const some = found.splice(0, this.#free);
      await this.#meet(frame, some);
    }
  }

  /** Looks at detected faces and follows those that are faces, the most confident first. */
  async #meet(frame: Frame, found: readonly Region[]): Promise<void> {
    const looks = await lookAgain(await frame.look(found), (regions) => frame.look(regions));
    const settled = await this.#settle(frame, looks, true);
    const good = settled.filter((one) => one.good);
    const known = this.#tracks.map((track) => track.look.landmarks);
    const repeated = repeats(
      [...known, ...good.map(({ look }) => look.landmarks)],
      [...known.map(() => Infinity), ...good.map(({ look }) => look.logit)],
    ).slice(known.length);
    for (const [i, { look, own }] of good.entries()) {
      if (repeated[i]) continue;
      const { smoothing } = this.settings;
      const smoother = smoothing && new Smoother(smoothing);
      this.#tracks.push({ id: this.#ids++, look, region: own, step: [0, 0], smoother });
    }
  }

  /** Looks once more at new faces, and at those whose landmarks ask for another square. */
  async #settle(frame: Frame, looks: Look[], isNew: boolean): Promise<Settled[]> {
    const settled = looks.map((look) => this.#judge(frame, look));
    const again = settled.filter((one) => one.good && (isNew || !agrees(one)));
    const second = again.length ? await frame.look(again.map(({ own }) => own)) : [];
    for (const [i, look] of second.entries()) Object.assign(again[i]!, this.#judge(frame, look));
    return settled;
  }

  /** Whether a look shows a face, of a possible size, in the picture. */
  #judge(frame: Frame, look: Look): Settled {
    const own = fromLandmarks(look.landmarks);
    const ratio = own.size / look.region.size;
    const inside =
      Math.abs(own.cx - frame.width / 2) - frame.width / 2 < own.size / 2 &&
      Math.abs(own.cy - frame.height / 2) - frame.height / 2 < own.size / 2;
    const likely = scoreOf(look) >= this.settings.minScore;
    return { look, own, good: inside && likely && ratio > 1 / FAR && ratio < FAR };
  }
}

/** Whether the square that landmarks ask for is about the one that was looked at. */
function agrees({ look, own }: Settled): boolean {
  const ratio = own.size / look.region.size;
  return (
    apart(own, look.region) <= SETTLED.distance &&
    Math.cos(own.angle - look.region.angle) >= SETTLED.cosine &&
    ratio < SETTLED.ratio &&
    ratio > 1 / SETTLED.ratio
  );
}

/** Marks faces that repeat a more confident one; of equally confident ones the first stays. */
export function repeats(
  faces: readonly ArrayLike<number>[],
  confidence: readonly number[],
): boolean[] {
  const boxes = faces.map(boxOf);
  const area = ([left, top, right, bottom]: readonly number[]): number =>
    Math.max(right! - left!, 0) * Math.max(bottom! - top!, 0);
  const order = faces.map((_, i) => i).sort((a, b) => confidence[b]! - confidence[a]! || a - b);
  const kept: number[] = [];
  for (const face of order) {
    const [left, top, right, bottom] = boxes[face]!;
    const repeated = kept.some((other) => {
      const [l, t, r, b] = boxes[other]!;
      const shared = [Math.max(left, l), Math.max(top, t), Math.min(right, r), Math.min(bottom, b)];
      return area(shared) > SHARED * Math.min(area(boxes[face]!), area(boxes[other]!));
    });
    if (!repeated) kept.push(face);
  }
  return faces.map((_, i) => !kept.includes(i));
}
