/**
 * More looks at faces that the network is not sure of, which finds those that lie on their side or
 * upside down. The rules are those of the Python package's `amesh/pipeline/looks.py`, which says where
 * the numbers come from.
 */

import constants from './constants.json';
import type { Look } from './look';
import { boxOf, fromLandmarks, type Region } from './region';
import { TOPOLOGY } from './topology';

const {
  sure: SURE, // logit from which one look is enough
  roll: ROLL, // of landmarks in their crop, from which a face is looked at again
  margin: MARGIN, // by how much a turned look must be more confident
  likely: LIKELY, // smallest logit with which a further look changes the answer
  near: NEAR, // a turned look that is this much less confident is not worth following
  far: FAR, // a face this many times larger or smaller than its square is nonsense
} = constants.looks;
/** Least width of the face, straight and turned: a profile fools both. */
const FRONTAL = constants.looks.apart as [straight: number, turned: number];

type Looker = (regions: readonly Region[]) => Promise<Look[]>;

/** The best look at each face: the first if it leaves no doubt, otherwise one of up to six. */
export async function lookAgain(first: readonly Look[], look: Looker): Promise<Look[]> {
  const best = [...first];
  const rows = [...first.keys()];
  const doubtful = rows.filter(
    (row) => first[row]!.logit < SURE || Math.abs(roll(first[row]!)) > ROLL,
  );
  if (!doubtful.length) return best;
  // The straight look counts even if it is less confident: it denies what is not a face.
  const straight = await look(doubtful.map((row) => region(first[row]!)));
  for (const [i, row] of doubtful.entries()) {
    if (first[row]!.logit > 0 || straight[i]!.logit > LIKELY) best[row] = straight[i]!;
  }

  const unsure = rows.filter((row) => best[row]!.logit < SURE);
  if (!unsure.length) return best;
  const turned = await lookTurned(
    unsure.map((row) => first[row]!.region),
    unsure.map((row) => best[row]!.logit),
    look,
  );
  const near = [...unsure.entries()].filter(
    ([i, row]) => turned[i]!.logit > best[row]!.logit - NEAR,
  );
  if (!near.length) return best;
  // A turned region is rarely centred on the face.
  const centred = await look(near.map(([i]) => region(turned[i]!)));
  for (const [k, [, row]] of near.entries()) {
    const [soFar, other] = [best[row]!, centred[k]!];
    const frontal = width(soFar) > FRONTAL[0] && width(other) > FRONTAL[1];
    if (frontal && other.logit > Math.max(soFar.logit + MARGIN, LIKELY)) best[row] = other;
  }
  return best;
}

/** The surest look at each face turned: upside down, and on its sides if it is unlikely so far. */
async function lookTurned(
  regions: readonly Region[],
  soFar: readonly number[],
  look: Looker,
): Promise<Look[]> {
  const by = (rows: readonly number[], angle: number): Region[] =>
    rows.map((row) => ({ ...regions[row]!, angle: regions[row]!.angle + angle }));
  const rows = [...regions.keys()];
  const best = await look(by(rows, Math.PI));
  const unlikely = rows.filter((row) => soFar[row]! < LIKELY);
  for (const quarters of unlikely.length ? [1, 3] : []) {
    const sides = await look(by(unlikely, (quarters * Math.PI) / 2));
    for (const [i, row] of unlikely.entries()) {
      if (sides[i]!.logit > best[row]!.logit) best[row] = sides[i]!;
    }
  }
  return best;
}

/** Where the landmarks say that the face lies; the region looked at if they are nonsense. */
function region(look: Look): Region {
  const own = fromLandmarks(look.landmarks);
  const ratio = own.size / look.region.size;
  return ratio > 1 / FAR && ratio < FAR ? own : look.region;
}

/** Angle of the landmarks in their crop, from -pi to pi. */
function roll(look: Look): number {
  const angle = region(look).angle - look.region.angle;
  return Math.atan2(Math.sin(angle), Math.cos(angle));
}

/** Distance of the eyes' outer corners over the face's size; 1 on the mean face. */
function width({ landmarks }: Look): number {
  const [one, other] = TOPOLOGY.anchors.map((index) => 3 * index) as [number, number];
  const across = Math.hypot(
    landmarks[other]! - landmarks[one]!,
    landmarks[other + 1]! - landmarks[one + 1]!,
  );
  const [left, top, right, bottom] = boxOf(landmarks);
  return across / Math.max(right - left, bottom - top) / TOPOLOGY.eyeShare;
}
