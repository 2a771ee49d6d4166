// What effects know of a face. face.json is written by web/tools/face_data.py from the package.

import data from './face.json';

/** A border of an opening, from its image-left corner to its image-right one. */
export interface Borders {
  upper: readonly number[];
  lower: readonly number[];
}

/** Rows of landmarks of an eye, each from the outer to the inner end; the iris with its centre first. */
export interface EyeRows {
  upper: readonly number[];
  lower: readonly number[];
  fold: readonly number[];
  bone: readonly number[];
  iris: readonly number[];
}

interface FaceData {
  /** Mean face (478 x 3), and its smooth normals. */
  template: readonly number[];
  normals: readonly number[];
  /** Canonical face [mm] (478 x 3): x to the subject's left, y down, z into the head. */
  points: readonly number[];
  /** Its places in a square texture (478 x 2), from the top left corner. */
  uv: readonly number[];
  /** Its surface (906 x 3), mouth and eyes filled, the last 8 the irises. */
  triangles: readonly number[];
  /** Landmarks that expressions hardly move. */
  rigid: readonly number[];
  /** Outer and inner border of the lips. */
  lips: readonly Borders[];
  /** The subject's right eye, then the left one; cheeks likewise. */
  eyes: readonly EyeRows[];
  cheeks: readonly (readonly number[])[];
  oval: readonly number[];
  /** The outer corners of the eyes. */
  corners: readonly number[];
}

export const FACE: FaceData = data;
