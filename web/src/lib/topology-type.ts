/** Facts about a landmark scheme that the pipeline needs. */
export interface Topology {
  name: string;
  points: number;
  /** Two landmarks that are level in a face seen from the front, image-left one first. */
  anchors: [number, number];
  /** Top and bottom of the face's midline. */
  midline: [number, number];
  /** Distance of the anchors over the length of the midline, seen from the front. */
  frontal: number;
  /** Distance of the anchors over the longer side of the box of all landmarks, seen from the front. */
  eyeShare: number;
  /** Side of the crop and shift of its centre, right and down in it, in longer sides of the box. */
  fromDetection: [number, number, number];
  fromLandmarks: [number, number, number];
}
