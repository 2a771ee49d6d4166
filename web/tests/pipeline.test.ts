import { describe, expect, it } from 'vitest';
import { confidence } from '../src/lib/confidence';
import { ANCHORS, decode, detections, regionOf, suppress } from '../src/lib/detection';
import { PRESETS, Smoother } from '../src/lib/one-euro';
import { fromBox, fromLandmarks, imageFromCrop, type Region } from '../src/lib/region';
import { TOPOLOGY } from '../src/lib/topology';
import { asRegion, reference } from './reference';

function close(found: ArrayLike<number>, expected: readonly number[], tolerance = 1e-5): void {
  expect(found.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) {
    expect(Math.abs(found[i]! - value), `number ${i}`).toBeLessThan(tolerance);
  }
}

function closeRegion(found: Region, expected: Region, tolerance?: number): void {
  close(Object.values(found), Object.values(expected), tolerance);
}

describe('regions', () => {
  it('follow from a box and its eyes', () => {
    for (const { box, eyes, roi, image_from_crop } of reference.crops) {
      const line = [eyes[1]![0]! - eyes[0]![0]!, eyes[1]![1]! - eyes[0]![1]!] as const;
      const region = fromBox(box, line);
      closeRegion(region, asRegion(roi));
      close(imageFromCrop(region, 256), image_from_crop.flat());
    }
  });

  it('follow from landmarks, in profile too', () => {
    closeRegion(
      fromLandmarks(reference.landmarks.all.flat()),
      asRegion(reference.landmarks.next_roi),
      1e-3, // the landmarks in the file are rounded
    );
    for (const { eyes, midline, roi } of reference.profiles) {
      const landmarks = new Float64Array(3 * TOPOLOGY.points).fill(145);
      for (const [i, index] of TOPOLOGY.anchors.entries()) landmarks.set(eyes[i]!, 3 * index);
      for (const [i, index] of TOPOLOGY.midline.entries()) landmarks.set(midline[i]!, 3 * index);
      closeRegion(fromLandmarks(landmarks), asRegion(roi));
    }
  });
});

describe('the detector', () => {
  const { short } = reference.detectors;

  it('has its anchors', () => {
    expect(ANCHORS.length).toBe(2 * 896);
    for (const { number, centre } of short.anchors) {
      close(ANCHORS.subarray(2 * number, 2 * number + 2), centre);
    }
  });

  it('gives boxes, keypoints and the region in the picture', () => {
    const boxes = new Float32Array(16 * 896);
    const logits = new Float32Array(896).fill(-1);
    for (const { anchor, logit, raw } of short.kept) {
      boxes.set(raw, 16 * anchor);
      logits[anchor] = logit;
    }
    const rows = decode(boxes, logits);
    for (const [i, { row, score }] of short.kept.entries()) {
      close(rows[i]!.values, row, 1e-4);
      close([rows[i]!.score], [score]);
    }
    const [face, ...others] = detections(boxes, logits, ...short.picture);
    expect(others).toEqual([]);
    close(face!.box, short.box, 1e-3);
    close(face!.keypoints, short.keypoints.flat(), 1e-3);
    close([face!.score], [short.merged.score]);
    closeRegion(regionOf(face!), asRegion(short.roi), 1e-3);
  });

  it('leaves out boxes that are turned inside out or no numbers', () => {
    const boxes = new Float32Array(16 * 896);
    const logits = new Float32Array(896).fill(-1);
    logits.fill(5, 0, 3);
    boxes.fill(10, 0, 48);
    boxes[2] = -10;
    boxes[16 + 3] = NaN;
    expect(decode(boxes, logits)).toHaveLength(1);
  });

  it('merges the boxes of a face by their scores', () => {
    const { rows, scores, merged } = reference.suppression;
    const faces = suppress(
      rows.map((values, i) => ({ values: Float64Array.from(values), score: scores[i]! })),
    );
    expect(faces).toHaveLength(merged.length);
    for (const [i, { row, score }] of merged.entries()) {
      close(faces[i]!.values, row, 1e-4);
      close([faces[i]!.score], [score]);
    }
  });
});

describe('smoothing', () => {
  it.each(reference.smoothing.filters)(
    '$name moves landmarks as in Python',
    ({ name, landmarks }) => {
      const smoother = new Smoother(PRESETS[name]!);
      for (const [i, frame] of reference.smoothing.frames.entries()) {
        const found = smoother.next(Float64Array.from(frame.landmarks.flat()), frame.time);
        close(found, landmarks[i]!.flat());
      }
    },
  );
});

describe('confidence', () => {
  it('is the share of errors within a twentieth of the face', () => {
    // A box of 100 x 50 px: the limit is 0.05 * 0.531327 * 100 px; an error of half of it is likely.
    const limit = 0.05 * TOPOLOGY.eyeShare * 100;
    const landmarks = [0, 0, 0, 100, 50, 0];
    close(confidence([limit / 2, limit, 0], landmarks), [
      1 - 5 * Math.exp(-4),
      1 - 3 * Math.exp(-2),
      1,
    ]);
  });
});
