/// <reference types="vite/client" />
// What the page does: sources in, faces found, effects out.

import { AmeshError, FaceTracker, type Face, type TrackerOptions } from '../lib/index';
import { otherCamera, shareCamera } from './camera';
import { Frames } from './frames';
import { line, OTHER_TAB, PUPPET_LOST, PUPPET_OFFLINE } from './messages';
import { drawFace } from './overlay';
import { element, openPanel } from './panel';
import type { Puppet } from './puppet';
import { showPuppet } from './puppet-room';
import { readSample } from './sample';
import { usual, type Worn } from './settings';
import {
  cameraSource,
  eachFrame,
  pictureSource,
  still,
  videoSource,
  type Moving,
  type Source,
} from './sources';
import { explanation, showSpeed, Speed } from './speed';
import { Stage, type View } from './stage';

const MODELS = './models/';

export const settings = usual();
export const stage = new Stage(element<HTMLCanvasElement>('view'));
const frames = new Frames();
const speed = new Speed();
const alertBox = element('alert');
const position = element<HTMLInputElement>('position');

let tracker: FaceTracker | undefined;
/** Counts the sources that were asked for: a slow one must not replace one that was chosen later. */
let asked = 0;
let opening: Promise<void> | undefined;
export let source: Source | undefined;
let faces: Face[] = [];
export let view: View | undefined;
let puppet: Puppet | undefined;
let puppetOpening: Promise<void> | undefined;
let counted = -1;
let lastSeconds = -Infinity;

export const panel = openPanel(settings, () => void changed());
const takeCamera = shareCamera(() => source?.kind === 'camera' && stop(OTHER_TAB));

// ---------------------------------------------------------------------------------------- networks

function openTracker(): Promise<void> {
  const choose = (id: string): string => element<HTMLSelectElement>(id).value;
  const options: TrackerOptions = {
    models: MODELS,
    wasm: import.meta.env.WASM as string,
    maxFaces: Number(choose('faces')),
    smoothing: choose('smoothing') as NonNullable<TrackerOptions['smoothing']>,
    onProgress: (done, total) =>
      (element<HTMLProgressElement>('progress').value = total ? done / total : 0),
  };
  element('loading').hidden = false;
  say('Loading the networks');
  const here = FaceTracker.create(options)
    .then((opened) => {
      if (opening !== here) return opened.close(); // other options were chosen meanwhile
      tracker?.close();
      tracker = opened;
      tellSpeed();
    })
    .finally(() => {
      if (opening !== here) return;
      opening = undefined;
      element('loading').hidden = true;
    });
  opening = here;
  return here;
}

/** Opens the networks with other options, and looks again. */
export async function reopenTracker(): Promise<void> {
  try {
    await openTracker();
    if (source?.kind === 'picture') await lookAtPicture();
    else tellFaces(true);
  } catch (error) {
    report(error);
  }
}

/** How fast it is, and why. */
export function tellSpeed(): void {
  const live = source !== undefined && source.kind !== 'picture';
  showSpeed(element('parts'), element('rate'), speed, live);
  const about = {
    runtime: tracker?.runtime ?? '',
    isolated: globalThis.crossOriginIsolated,
    cores: navigator.hardwareConcurrency,
  };
  const rate = live ? speed.rate : 0;
  element('why').textContent = tracker
    ? explanation(rate, speed.milliseconds, about)
    : 'The networks are not loaded.';
}

// ------------------------------------------------------------------------------------------ sources

/** Opens another source; the one before stays if that fails, or if a third was chosen meanwhile. */
async function open(make: () => Promise<Source>, waiting: string): Promise<void> {
  const turn = ++asked;
  hideAlert();
  say(waiting);
  try {
    const next = await make();
    if (turn !== asked) return next.close();
    closeSource();
    source = next;
    show(next);
    await (tracker ? undefined : (opening ?? openTracker()));
    if (source !== next) return;
    tracker?.reset();
    if (next.kind === 'picture') await lookAtPicture();
    else eachFrame(next, (seconds) => lookAtFrame(next, seconds));
  } catch (error) {
    if (turn === asked) report(error);
  }
}

function show(next: Source): void {
  faces = [];
  puppet?.face.rest(); // somebody else may be there
  counted = -1;
  lastSeconds = -Infinity;
  speed.reset();
  element('empty').hidden = true;
  element('timeline').hidden = next.kind !== 'video';
  element('camera').setAttribute('aria-pressed', String(next.kind === 'camera'));
  element('flip').hidden = true;
  if (next.kind === 'camera') {
    takeCamera();
    void otherCamera(next.deviceId).then((other) => (element('flip').hidden = !other));
  }
  grab(next);
  render();
}

function closeSource(): void {
  source?.close();
  source = undefined;
}

/** Stops the camera or the video; its last frame stays. */
export function stop(reason?: string): void {
  if (!source || source.kind === 'picture') return;
  const { kind, mirrored } = source;
  closeSource();
  source = { kind: 'picture', mirrored, close: () => undefined };
  element('camera').setAttribute('aria-pressed', 'false');
  element('flip').hidden = true;
  element('timeline').hidden = true;
  say(kind === 'camera' ? 'Camera off' : 'Video stopped');
  if (reason) warn(reason);
}

export function openCamera(deviceId?: string): Promise<void> {
  const ended = (reason: string): void => {
    if (source?.kind === 'camera') stop(reason);
  };
  return open(
    () => cameraSource(deviceId, ended),
    'Starting the camera; allow it if the browser asks',
  );
}

export function openFile(file: File | undefined): void {
  if (!file) return;
  if (file.type.startsWith('video/')) void open(() => videoSource(file), 'Opening the video');
  else void open(() => pictureSource(file), 'Opening the picture');
}

/** Opens the portrait; without one on this host, the networks alone. */
export async function openSample(): Promise<void> {
  const turn = asked;
  const bitmap = await readSample();
  if (turn !== asked) return bitmap?.close();
  if (!bitmap) return openTracker().then(() => say('Choose a picture'), report);
  return open(() => Promise.resolve(still(bitmap)), 'Opening the picture');
}

let resumed: Source | undefined;

/** In a hidden tab a video waits, and the pause counts as no late frame. */
export function hide(hidden: boolean): void {
  if (!source || source.kind === 'picture') return;
  const { kind, element } = source;
  if (hidden) {
    say('Paused while this tab is hidden');
    resumed = kind === 'video' && !element.paused ? source : undefined;
    if (resumed) element.pause();
  } else {
    speed.reset();
    tellFaces(true);
    if (resumed === source) void element.play().catch(() => undefined);
  }
}

function report(error: unknown): void {
  warn(line(error));
  if (source && tracker) tellFaces(true);
  else say('');
}

// ------------------------------------------------------------------------------------------- frames

function grab(from: Source): void {
  if (from.kind !== 'picture') {
    // A phone that turns gives a video of another size.
    frames.grab(from.element, from.element.videoWidth, from.element.videoHeight);
  } else if (from.bitmap) {
    frames.grab(from.bitmap, from.bitmap.width, from.bitmap.height);
  }
}

async function lookAtPicture(): Promise<void> {
  const [used, looked] = [tracker, source];
  if (!used || !looked) return;
  say('Looking for faces');
  const found = await used.detect(frames.original).catch((error: unknown) => {
    if (tracker === used) throw error; // otherwise it was closed for another, which looks again
  });
  if (source !== looked || !found) return;
  faces = found;
  render(true);
  tellFaces(true);
}

/** Whether to go on with the next frame. */
async function lookAtFrame(from: Moving, seconds: number): Promise<boolean> {
  const used = tracker;
  if (source !== from) return false;
  if (!used) return opening !== undefined; // others were chosen while the first ones loaded
  if (document.hidden) return true;
  try {
    if (from.element.videoWidth !== frames.width || seconds < lastSeconds) used.reset();
    lastSeconds = seconds;
    grab(from);
    const found = await used.track(frames.original, seconds);
    if (source !== from) return false;
    faces = found;
    render(true);
    tellFaces();
    if (from.kind === 'video' && from.element.duration)
      position.value = String(from.element.currentTime / from.element.duration);
    return true;
  } catch (error) {
    if (tracker !== used) return true; // it was closed for another
    if (source === from) stop(line(error));
    return false;
  }
}

export async function changed(): Promise<void> {
  if (settings.puppet !== 'off' && !puppet) await (puppetOpening ??= loadPuppet());
  if (source) render();
}

/** One for all who choose another style meanwhile: each would take a graphics context. */
async function loadPuppet(): Promise<void> {
  try {
    const { openPuppet } = await import('./puppet');
    puppet = await openPuppet(MODELS, () => {
      puppet = undefined;
      dropPuppet(PUPPET_LOST);
    });
  } catch (error) {
    const offline =
      error instanceof TypeError || (error instanceof AmeshError && error.code === 'network');
    dropPuppet(offline ? PUPPET_OFFLINE : line(error));
  } finally {
    puppetOpening = undefined;
  }
}

/** Makes the first face as it is now the one at rest, from which expressions are measured. */
export function takeRest(): void {
  const [face] = faces;
  if (!face || !puppet) return say('A puppet needs a face to follow');
  try {
    puppet.face.rest(face.landmarks);
    render();
  } catch (error) {
    warn(line(error));
  }
}

function dropPuppet(reason: string): void {
  settings.puppet = 'off';
  panel.refresh();
  warn(reason);
  if (source) render();
}

// -------------------------------------------------------------------------------------------- drawing

/** @param counts Whether this is a new frame, which counts for the speed. */
export function render(counts = false): void {
  if (!source) return;
  const start = performance.now();
  const made = frames.made(faces, worn());
  const painted = performance.now();
  view = {
    original: frames.original,
    made,
    mirrored: source.mirrored,
    overlay: settings.puppet === 'off' ? drawings : puppetInstead,
  };
  const { left, top, width, height } = stage.show(view);
  for (const [name, value] of Object.entries({ left, top, width, height })) {
    element('stage').style.setProperty(`--${name}`, `${value}px`);
  }
  const { detect = 0, crop = 0, network = 0 } = tracker?.timings ?? {};
  const now = performance.now();
  if (tracker && counts)
    speed.add(
      { detector: detect, crop, network, makeup: painted - start, drawing: now - painted },
      now,
    );
}

function drawings(context: CanvasRenderingContext2D, zoom: number): void {
  for (const face of faces) drawFace(context, face, settings.drawings, zoom);
}

function puppetInstead(context: CanvasRenderingContext2D, zoom: number): void {
  const landmarks = faces[0]?.landmarks;
  const shown = {
    puppet,
    landmarks: landmarks && settings.ownFace ? puppet?.face.imitate(landmarks) : landmarks,
    original: frames.original,
    density: zoom * (window.devicePixelRatio || 1),
  };
  if (settings.puppet !== 'off') puppet?.dress(settings.puppet, worn());
  showPuppet(context, shown);
}

function worn(): Worn[] {
  return settings.products.filter(({ on }) => on);
}

// ------------------------------------------------------------------------------------ what is said

export function say(text: string): void {
  const status = element('status');
  if (status.textContent !== text) status.textContent = text;
}

/** @param again Whether to repeat what was said. */
export function tellFaces(again = false): void {
  if (faces.length === counted && !again) return;
  counted = faces.length;
  const names = { picture: 'in the picture', video: 'in the video', camera: 'before the camera' };
  const where = source ? names[source.kind] : '';
  if (!counted) say(`No face ${where}. A larger, brighter face is found more easily.`);
  else say(counted === 1 ? '1 face' : `${counted} faces`);
  element('view').setAttribute(
    'aria-label',
    `${counted || 'No'} ${counted === 1 ? 'face' : 'faces'} ${where}`,
  );
}

export function warn(text: string): void {
  // Addresses as they are written on this host.
  const here = new URL('./', document.baseURI).href;
  alertBox.querySelector('p')!.textContent = text.replaceAll(here, '');
  alertBox.hidden = false;
}

export function hideAlert(): void {
  alertBox.hidden = true;
}
