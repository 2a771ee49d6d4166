/** The numbers that Python, C++ and TypeScript share; docs/pipeline.md explains them. */

import { readFileSync } from 'node:fs';
import type { Region } from '../src/lib/region';

export interface ReferenceRegion {
  centre: [number, number];
  side: number;
  angle_radians: number;
}
type Point = [number, number, number];
interface Crop {
  name: string;
  size?: number;
  roi: ReferenceRegion;
  image_from_crop: number[][];
  crop_pixels: { column: number; row: number; rgb: number[] }[];
}
interface Scored {
  row: number[];
  score: number;
}

export const reference = JSON.parse(
  readFileSync(new URL('../../docs/pipeline/reference.json', import.meta.url), 'utf8'),
) as {
  crops: (Crop & { box: [number, number, number, number]; eyes: number[][] })[];
  more_crops: Crop[];
  suppression: { rows: number[][]; scores: number[]; merged: Scored[] };
  profiles: { eyes: number[][]; midline: number[][]; roi: ReferenceRegion }[];
  smoothing: {
    frames: { time: number; landmarks: Point[] }[];
    filters: { name: 'mediapipe' | 'light'; landmarks: Point[][] }[];
  };
  detectors: {
    short: {
      picture: [number, number];
      image_from_input: number[][];
      anchors: { number: number; centre: number[] }[];
      kept: { anchor: number; logit: number; raw: number[]; row: number[]; score: number }[];
      merged: Scored;
      box: number[];
      keypoints: number[][];
      roi: ReferenceRegion;
    };
  };
  landmarks: { score: number; all: Point[]; next_roi: ReferenceRegion };
};

/** A region of the reference in the module's words. */
export function asRegion({ centre: [cx, cy], side, angle_radians }: ReferenceRegion): Region {
  return { cx, cy, size: side, angle: angle_radians };
}
