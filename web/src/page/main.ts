// The page: sources in, faces found, effects out.

import { FaceTracker, type Face, type TrackerOptions } from '../lib/index';
import { otherCamera, shareCamera } from './camera';
import { Frames } from './frames';
import { line, OTHER_TAB, UserMessage } from './messages';
import { keepOffline } from './offline';
import { drawFace } from './overlay';
import { element, openPanel } from './panel';
import type { Puppet } from './puppet';
import { readSample } from './sample';
import { DRAWINGS, PRODUCTS, PUPPETS, usual, type Drawing, type PuppetStyle } from './settings';
import { listen, type Shortcut } from './shortcuts';
import {
  cameraSource,
  eachFrame,
  pictureSource,
  videoSource,
  type Moving,
  type Source,
} from './sources';
import { explanation, showSpeed, Speed } from './speed';
import { saved, Stage, type View } from './stage';

const PREVIEW = 0.24; // of the picture's width: the original beside the puppet

const settings = usual();
const stage = new Stage(element<HTMLCanvasElement>('view'));
const frames = new Frames();
const speed = new Speed();
const alertBox = element('alert');
const split = element('split');
const play = element<HTMLButtonElement>('play');
const position = element<HTMLInputElement>('position');

let tracker: FaceTracker | undefined;
let opening: Promise<void> | undefined;
let source: Source | undefined;
let faces: Face[] = [];
let view: View | undefined;
let puppet: Puppet | undefined;
let counted = -1;
let lastSeconds = -Infinity;

const panel = openPanel(settings, () => void changed());
const takeCamera = shareCamera(() => source?.kind === 'camera' && stopCamera(OTHER_TAB));

// ---------------------------------------------------------------------------------------- networks

function openTracker(): Promise<void> {
  const choose = (id: string): string => element<HTMLSelectElement>(id).value;
  const options: TrackerOptions = {
    models: './models/',
    maxFaces: Number(choose('faces')),
    smoothing: choose('smoothing') as NonNullable<TrackerOptions['smoothing']>,
    onProgress: (done, total) =>
      (element<HTMLProgressElement>('progress').value = total ? done / total : 0),
  };
  element('loading').hidden = false;
  say('Loading the networks');
  opening = FaceTracker.create(options)
    .then((opened) => {
      tracker?.close();
      tracker = opened;
      showRuntime();
    })
    .finally(() => (element('loading').hidden = true));
  return opening;
}

function showRuntime(): void {
  const about = {
    runtime: tracker?.runtime ?? '',
    isolated: globalThis.crossOriginIsolated,
    cores: navigator.hardwareConcurrency,
  };
  const live = source !== undefined && source.kind !== 'picture';
  element('why').textContent = tracker
    ? explanation(live ? speed.rate : 0, speed.milliseconds, about)
    : '';
}

// ------------------------------------------------------------------------------------------ sources

/** Opens another source; the one before stays if that fails. */
async function open(make: () => Promise<Source>, waiting: string): Promise<void> {
  hideAlert();
  say(waiting);
  try {
    const next = await make();
    closeSource();
    source = next;
    show(next);
    await (tracker ? undefined : (opening ?? openTracker()));
    if (source !== next) return;
    tracker?.reset();
    if (next.kind === 'picture') await lookAtPicture();
    else eachFrame(next, (seconds) => lookAtFrame(next, seconds));
  } catch (error) {
    report(error);
  }
}

function show(next: Source): void {
  faces = [];
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
  if (source?.kind === 'picture') source.bitmap.close();
  else source?.close();
  source = undefined;
}

function stopCamera(reason?: string): void {
  closeSource();
  element('camera').setAttribute('aria-pressed', 'false');
  element('flip').hidden = true;
  say('Camera off');
  if (reason) warn(reason);
}

function openCamera(deviceId?: string): Promise<void> {
  const ended = (reason: string): void => {
    if (source?.kind === 'camera') stopCamera(reason);
  };
  return open(
    () => cameraSource(deviceId, ended),
    'Starting the camera; allow it if the browser asks',
  );
}

function openFile(file: File | undefined): void {
  if (!file) return;
  if (file.type.startsWith('video/')) void open(() => videoSource(file), 'Opening the video');
  else void open(() => pictureSource(file), 'Opening the picture');
}

async function openSample(): Promise<void> {
  const bitmap = await readSample();
  if (!bitmap) return openTracker().then(() => say('Choose a picture'), report);
  return open(() => Promise.resolve({ kind: 'picture', bitmap }), 'Opening the picture');
}

function report(error: unknown): void {
  warn(line(error));
  counted = -1;
  if (source && tracker) tellFaces();
  else say('');
}

// ------------------------------------------------------------------------------------------- frames

function grab(from: Source): void {
  if (from.kind === 'picture') frames.grab(from.bitmap, from.bitmap.width, from.bitmap.height);
  // A phone that turns gives a video of another size.
  else frames.grab(from.element, from.element.videoWidth, from.element.videoHeight);
}

async function lookAtPicture(): Promise<void> {
  if (!tracker || source?.kind !== 'picture') return;
  say('Looking for faces');
  faces = await tracker.detect(frames.original);
  render();
  tellFaces();
}

/** Whether to go on with the next frame. */
async function lookAtFrame(from: Moving, seconds: number): Promise<boolean> {
  if (source !== from || !tracker) return false;
  if (document.hidden) return true;
  try {
    if (from.element.videoWidth !== frames.width || seconds < lastSeconds) tracker.reset();
    lastSeconds = seconds;
    grab(from);
    const found = await tracker.track(frames.original, seconds);
    if (source !== from) return false;
    faces = found;
    render();
    tellFaces();
    if (from.kind === 'video' && from.element.duration)
      position.value = String(from.element.currentTime / from.element.duration);
    return true;
  } catch (error) {
    if (source === from) stopCamera(line(error));
    return false;
  }
}

async function changed(): Promise<void> {
  if (settings.puppet !== 'off' && !puppet) {
    try {
      const { Puppet } = await import('./puppet');
      puppet ??= new Puppet(() => {
        puppet = undefined;
        dropPuppet(
          'The graphics device was lost, and with it the puppet. Choose it again, or reload the page.',
        );
      });
    } catch (error) {
      const offline = error instanceof TypeError;
      dropPuppet(
        offline
          ? 'The puppet cannot be loaded without a connection; open it once with one.'
          : line(error),
      );
    }
  }
  if (source) render();
}

function dropPuppet(reason: string): void {
  settings.puppet = 'off';
  panel.refresh();
  warn(reason);
  if (source) render();
}

// -------------------------------------------------------------------------------------------- drawing

function render(): void {
  if (!source) return;
  const start = performance.now();
  const made = frames.made(
    faces,
    settings.products.filter(({ on }) => on),
  );
  const painted = performance.now();
  view = {
    original: frames.original,
    made,
    mirrored: source.kind !== 'picture' && source.mirrored,
    overlay: settings.puppet === 'off' ? drawings : puppetShow,
  };
  const { left, top, width, height } = stage.show(view);
  for (const [name, value] of Object.entries({ left, top, width, height })) {
    element('stage').style.setProperty(`--${name}`, `${value}px`);
  }
  const { detect = 0, crop = 0, network = 0 } = tracker?.timings ?? {};
  const now = performance.now();
  if (tracker)
    speed.add(
      { detector: detect, crop, network, makeup: painted - start, drawing: now - painted },
      now,
    );
}

function drawings(context: CanvasRenderingContext2D, zoom: number): void {
  for (const face of faces) drawFace(context, face, settings.drawings, zoom);
}

/** The puppet in place of the picture, which becomes a preview in the corner. */
function puppetShow(context: CanvasRenderingContext2D, zoom: number): void {
  const { width, height } = frames;
  const glow = context.createRadialGradient(
    width / 2,
    height * 0.42,
    0,
    width / 2,
    height * 0.42,
    0.8 * Math.max(width, height),
  );
  glow.addColorStop(0, '#4a4456');
  glow.addColorStop(0.55, '#26232d');
  glow.addColorStop(1, '#131217');
  context.fillStyle = glow;
  context.fillRect(0, 0, width, height);
  const face = faces[0];
  if (puppet && face && settings.puppet !== 'off') {
    puppet.dress(
      settings.puppet,
      settings.products.filter(({ on }) => on),
    );
    const density = zoom * (window.devicePixelRatio || 1);
    const size = { width: Math.round(width * density), height: Math.round(height * density) };
    context.drawImage(puppet.draw(face.landmarks, { width, height }, size), 0, 0, width, height);
  }
  const [w, h] = [PREVIEW * width, PREVIEW * height];
  const margin = 0.03 * Math.min(width, height);
  context.save();
  context.beginPath();
  context.roundRect(margin, height - h - margin, w, h, 0.06 * w);
  context.clip();
  context.drawImage(frames.original, margin, height - h - margin, w, h);
  context.restore();
}

// ------------------------------------------------------------------------------------ what is said

function say(text: string): void {
  const status = element('status');
  if (status.textContent !== text) status.textContent = text;
}

function tellFaces(): void {
  if (faces.length === counted) return;
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

function warn(text: string): void {
  alertBox.querySelector('p')!.textContent = text;
  alertBox.hidden = false;
}

function hideAlert(): void {
  alertBox.hidden = true;
}

// ------------------------------------------------------------------------------------------- controls

function holdOriginal(on: boolean): void {
  stage.original = on;
  element('hold').setAttribute('aria-pressed', String(on));
  element('original').hidden = !on;
  render();
}

function compare(on: boolean): void {
  stage.split = on ? Number(split.getAttribute('aria-valuenow')) / 100 : undefined;
  element('compare').setAttribute('aria-pressed', String(on));
  split.hidden = !on;
  render();
}

function splitAt(share: number): void {
  const at = Math.min(Math.max(share, 0), 1);
  stage.split = at;
  split.setAttribute('aria-valuenow', String(Math.round(100 * at)));
  element('stage').style.setProperty('--split', String(at));
  render();
}

function pause(): void {
  if (source?.kind !== 'video') return;
  const { element: video } = source;
  if (video.paused) void video.play();
  else video.pause();
}

function showPaused(): void {
  const paused = source?.kind === 'video' && source.element.paused;
  play.setAttribute('aria-label', paused ? 'Play' : 'Pause');
  play.querySelector('use')!.setAttribute('href', paused ? '#icon-play' : '#icon-pause');
}

function save(): void {
  if (!view) return;
  saved(view).toBlob((blob) => {
    if (!blob) return warn('The picture cannot be saved: it is too large for this browser.');
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = 'amesh.png';
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });
}

function toggle(name: Drawing): void {
  if (!settings.drawings.delete(name)) settings.drawings.add(name);
  panel.refresh();
  void changed();
}

function nextPuppet(): void {
  const styles = Object.keys(PUPPETS) as PuppetStyle[];
  settings.puppet = styles[(styles.indexOf(settings.puppet) + 1) % styles.length]!;
  panel.refresh();
  void changed();
}

function toggleCamera(): void {
  if (source?.kind === 'camera') stopCamera();
  else void openCamera();
}

const DRAWING_KEYS: Record<Drawing, string> = {
  mesh: 'm',
  contours: 'k',
  irises: 'i',
  axes: 'a',
  gaze: 'g',
};
const PRODUCT_KEYS = {
  lipstick: 'l',
  eyeliner: 'e',
  eyeShadow: 's',
  blush: 'b',
  irisTint: 't',
} as const;

const shortcuts: Shortcut[] = [
  { key: 'p', what: 'Choose a picture', run: () => element('picture-file').click() },
  { key: 'v', what: 'Choose a video', run: () => element('video-file').click() },
  { key: 'c', what: 'Camera on or off', run: toggleCamera },
  { key: ' ', what: 'Pause or play', run: pause },
  {
    key: 'o',
    what: 'Original, while held',
    run: () => holdOriginal(true),
    end: () => stage.original && holdOriginal(false),
  },
  { key: 'x', what: 'Compare halves', run: () => compare(stage.split === undefined) },
  { key: 'd', what: 'Save the picture', run: save },
  ...(Object.keys(DRAWINGS) as Drawing[]).map((name) => ({
    key: DRAWING_KEYS[name],
    what: DRAWINGS[name],
    run: () => toggle(name),
  })),
  ...settings.products.map((worn) => ({
    key: PRODUCT_KEYS[worn.name],
    what: PRODUCTS[worn.name],
    run: () => {
      worn.on = !worn.on;
      panel.refresh();
      void changed();
    },
  })),
  { key: 'u', what: 'Next puppet', run: nextPuppet },
  { key: '?', what: 'This list', run: () => element<HTMLDialogElement>('help-dialog').showModal() },
];

function connect(): void {
  listen(shortcuts, element('keys'), element<HTMLInputElement>('keys-on'));
  element('help').addEventListener('click', () =>
    element<HTMLDialogElement>('help-dialog').showModal(),
  );
  for (const kind of ['picture', 'video']) {
    const input = element<HTMLInputElement>(`${kind}-file`);
    element(kind).addEventListener('click', () => input.click());
    input.addEventListener('change', () => {
      openFile(input.files?.[0]);
      input.value = ''; // so that the same file can be chosen again
    });
  }
  element('camera').addEventListener('click', toggleCamera);
  element('flip').addEventListener('click', () => {
    if (source?.kind === 'camera')
      void otherCamera(source.deviceId).then((other) => (other ? openCamera(other) : undefined));
  });
  element('save').addEventListener('click', save);
  element('compare').addEventListener('click', () => compare(stage.split === undefined));
  alertBox.querySelector('button')!.addEventListener('click', hideAlert);

  const hold = element('hold');
  hold.addEventListener('pointerdown', () => holdOriginal(true));
  for (const end of ['pointerup', 'pointerleave', 'pointercancel'])
    hold.addEventListener(end, () => stage.original && holdOriginal(false));
  // Keys press and release; screen readers click.
  hold.addEventListener('click', (event) => event.detail === 0 && holdOriginal(!stage.original));

  split.addEventListener('pointerdown', (event) => split.setPointerCapture(event.pointerId));
  split.addEventListener('pointermove', (event) => {
    if (!split.hasPointerCapture(event.pointerId) || !view) return;
    const place = stage.place(view.original.width, view.original.height);
    splitAt((event.clientX - stage.canvas.getBoundingClientRect().left - place.left) / place.width);
  });
  split.addEventListener('keydown', (event) => {
    const steps: Record<string, number> = {
      ArrowLeft: -0.05,
      ArrowDown: -0.05,
      ArrowRight: 0.05,
      ArrowUp: 0.05,
      Home: -1,
      End: 1,
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    splitAt((stage.split ?? 0.5) + step);
  });

  play.addEventListener('click', pause);
  position.addEventListener('input', () => {
    if (source?.kind === 'video')
      source.element.currentTime = Number(position.value) * source.element.duration;
  });
  for (const id of ['faces', 'smoothing']) {
    element(id).addEventListener('change', () => {
      void openTracker().then(lookAtPicture).catch(report);
    });
  }
  connectDrop();

  document.addEventListener('visibilitychange', () => {
    if (!source || source.kind === 'picture') return;
    if (document.hidden) say('Paused while this tab is hidden');
    else counted = -1;
  });
  new ResizeObserver(() => render()).observe(stage.canvas);
  setInterval(() => {
    showSpeed(
      element('parts'),
      element('rate'),
      speed,
      source !== undefined && source.kind !== 'picture',
    );
    showRuntime();
    showPaused();
  }, 500);
}

function connectDrop(): void {
  const over = (on: boolean) => (event: DragEvent) => {
    event.preventDefault();
    // Leaving for a child of the page is not leaving it.
    if (!on && event.relatedTarget) return;
    document.body.classList.toggle('dragging', on);
  };
  document.addEventListener('dragenter', over(true));
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('dragleave', over(false));
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    document.body.classList.remove('dragging');
    const file = event.dataTransfer?.files[0];
    if (file) openFile(file);
    else
      warn(
        line(new UserMessage('That was no file. Drop a picture or a video from your computer.')),
      );
  });
}

connect();
void openSample().then(keepOffline);
