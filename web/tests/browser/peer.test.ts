/**
 * Our module and MediaPipe's in one browser, on the same pictures, in turn; see `nox -s web_peer`.
 *
 * Environment: PEER_PACKAGE, the unpacked @mediapipe/tasks-vision; PEER_TASK, face_landmarker.task;
 * PEER_PICTURES, a folder; PEER_OUTPUT, a folder for `peer.json` and the landmarks of both.
 */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import type { FaceTracker } from '../../src/lib/index';
import { launch, openModule, serve } from './browser';

const { PEER_PACKAGE, PEER_TASK, PEER_PICTURES, PEER_OUTPUT } = process.env as Record<
  string,
  string
>;
const ROUNDS = 15;
const FRAMES = 4; // of a round, of each

interface Landmarker {
  detectForVideo(source: unknown, time: number): { faceLandmarks: { x: number; y: number }[][] };
}
interface Vision {
  FilesetResolver: { forVisionTasks(path: string): Promise<unknown> };
  FaceLandmarker: { createFromOptions(files: unknown, options: object): Promise<Landmarker> };
}
declare global {
  var vision: Vision;
  var landmarker: Landmarker;
  var tracker: FaceTracker;
  var clock: number;
}

const zipped = (...files: string[]): number =>
  files.reduce((sum, file) => sum + gzipSync(readFileSync(file), { level: 9 }).length, 0);

it.runIf(PEER_TASK)('compares', { timeout: 1_200_000 }, async () => {
  const server = await serve();
  const browser = await launch();
  const page = await openModule(browser, server);
  await page.route('**/peer/**', (route) => {
    const path = new URL(route.request().url()).pathname.replace('/peer/', '');
    if (path === 'task') return route.fulfill({ path: PEER_TASK! });
    if (path.startsWith('pictures/')) {
      return route.fulfill({ path: `${PEER_PICTURES}/${decodeURIComponent(path.slice(9))}` });
    }
    const contentType = path.endsWith('.wasm') ? 'application/wasm' : 'text/javascript';
    return route.fulfill({ path: `${PEER_PACKAGE}/${path}`, contentType });
  });
  // A script of its own: Vitest would translate an import in what is evaluated.
  const content = `import * as vision from '/peer/vision_bundle.mjs'; window.vision = vision;`;
  await page.addScriptTag({ type: 'module', content });
  await page.waitForFunction(() => 'vision' in window);
  await page.evaluate(async () => {
    const files = await vision.FilesetResolver.forVisionTasks('/peer/wasm');
    globalThis.landmarker = await vision.FaceLandmarker.createFromOptions(files, {
      baseOptions: { modelAssetPath: '/peer/task', delegate: 'CPU' },
      runningMode: 'VIDEO',
      numFaces: 1,
    });
    globalThis.tracker = await amesh.FaceTracker.create({ models: '/models/' });
    globalThis.clock = 0;
  });

  const names = readdirSync(PEER_PICTURES!).filter((name) => /\.(jpe?g|png)$/i.test(name));
  const lines: Record<'ours' | 'theirs', string[]> = { ours: [], theirs: [] };
  const distances: number[] = [];
  const ratios: { ours: number; theirs: number }[] = [];
  for (const name of names.sort()) {
    const found = await page.evaluate(
      async ([name, rounds, frames]) => {
        const image = new Image();
        image.src = `/peer/pictures/${encodeURIComponent(name)}`;
        await image.decode();
        const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
        canvas.getContext('2d')!.drawImage(image, 0, 0);
        // Another picture: neither follows the face of the last one.
        tracker.reset();
        const black = new OffscreenCanvas(64, 64);
        black.getContext('2d')!.fillRect(0, 0, 64, 64);
        landmarker.detectForVideo(black, (clock += 1000));
        const our = (): Promise<{ landmarks: Float32Array }[]> =>
          tracker.track(canvas, (clock += 1000) / 1000);
        const their = (): { x: number; y: number }[][] =>
          landmarker.detectForVideo(canvas, (clock += 1000)).faceLandmarks;
        const times: Record<'ours' | 'theirs', number[]> = { ours: [], theirs: [] };
        // The first frames detect, and see the face in the detector's square.
        let [ours, theirs] = [await our(), their()];
        for (let i = 0; i < rounds; i++) {
          for (let k = 0; k < frames; k++) {
            let start = performance.now();
            ours = await our();
            times.ours.push(performance.now() - start);
            start = performance.now();
            theirs = their();
            times.theirs.push(performance.now() - start);
          }
        }
        const { naturalWidth: width, naturalHeight: height } = image;
        return {
          size: [width, height],
          ours: ours.map(({ landmarks }) => [...landmarks]),
          theirs: theirs.map((face) => face.flatMap(({ x, y }) => [x * width, y * height, 0])),
          times,
        };
      },
      [name, names.indexOf(name) % 4 ? 1 : ROUNDS, FRAMES] as const,
    );
    for (const who of ['ours', 'theirs'] as const) {
      const faces = found[who].map((flat, id) => ({
        id,
        score: 1,
        landmarks: Array.from({ length: 478 }, (_, i) => flat.slice(3 * i, 3 * i + 3)),
      }));
      lines[who].push(JSON.stringify({ source: name, frame: 0, time: 0, size: found.size, faces }));
    }
    const [one, other] = [found.ours[0], found.theirs[0]];
    if (!one || !other) continue;
    const eyes = Math.hypot(one[3 * 33]! - one[3 * 263]!, one[3 * 33 + 1]! - one[3 * 263 + 1]!);
    const apart = Array.from({ length: 478 }, (_, i) =>
      Math.hypot(one[3 * i]! - other[3 * i]!, one[3 * i + 1]! - other[3 * i + 1]!),
    );
    distances.push((100 * median(apart)) / eyes);
    if (found.times.ours.length > FRAMES) {
      ratios.push({ ours: median(found.times.ours), theirs: median(found.times.theirs) });
    }
  }
  await browser.close();
  await server.close();

  const web = new URL('../..', import.meta.url).pathname;
  const [litert, models] = [`${web}node_modules/@litertjs/core/wasm/`, `${web}public/models/`];
  const report = {
    pictures: names.length,
    both: distances.length,
    'distance, median [% of the eyes]': round(median(distances)),
    'time of a frame, ours [ms]': round(median(ratios.map(({ ours }) => ours))),
    'time of a frame, theirs [ms]': round(median(ratios.map(({ theirs }) => theirs))),
    'ratio, ours over theirs': round(median(ratios.map(({ ours, theirs }) => ours / theirs))),
    'gzipped, ours [MB]': {
      'runtime and module': round(
        zipped(
          `${litert}litert_wasm_internal.js`,
          `${litert}litert_wasm_internal.wasm`,
          `${web}dist/lib/index.js`,
          `${web}node_modules/@litertjs/core/dist/index.js`,
        ) / 1e6,
      ),
      networks: round(zipped(`${models}detector.tflite`, `${models}landmarks.tflite`) / 1e6),
    },
    'gzipped, theirs [MB]': {
      'runtime and module': round(
        zipped(
          `${PEER_PACKAGE}/vision_bundle.mjs`,
          `${PEER_PACKAGE}/wasm/vision_wasm_internal.js`,
          `${PEER_PACKAGE}/wasm/vision_wasm_internal.wasm`,
        ) / 1e6,
      ),
      networks: round(zipped(PEER_TASK!) / 1e6),
    },
  };
  mkdirSync(PEER_OUTPUT!, { recursive: true });
  writeFileSync(`${PEER_OUTPUT}/peer.json`, `${JSON.stringify(report, null, 2)}\n`);
  for (const who of ['ours', 'theirs'] as const) {
    writeFileSync(`${PEER_OUTPUT}/${who}.jsonl`, `${lines[who].join('\n')}\n`);
  }
  console.log(JSON.stringify(report, null, 2));
  expect(distances.length).toBeGreaterThan(0);
});

const round = (value: number): number => Number(value.toPrecision(3));

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
