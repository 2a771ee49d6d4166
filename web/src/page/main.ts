// The page's controls.

import {
  changed,
  hide,
  hideAlert,
  openCamera,
  openFile,
  openSample,
  panel,
  render,
  reopenTracker,
  settings,
  source,
  stage,
  stop,
  takeRest,
  tellSpeed,
  view,
  warn,
} from './app';
import { otherCamera } from './camera';
import { connectCompare, holdOriginal, toggleSplit } from './compare';
import { takeFiles } from './drop';
import { NO_FILE } from './messages';
import { keepOffline } from './offline';
import { element } from './panel';
import { DRAWINGS, PRODUCTS, PUPPETS, type Drawing, type PuppetStyle } from './settings';
import { listen, type Shortcut } from './shortcuts';
import { saved } from './stage';

const play = element<HTMLButtonElement>('play');

function pause(): void {
  if (source?.kind !== 'video') return;
  const { element: video } = source;
  if (video.paused)
    void video.play().catch(() => undefined); // another source came, or no click
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
  if (source?.kind === 'camera') stop();
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
    end: () => holdOriginal(false),
  },
  { key: 'x', what: 'Compare halves', run: toggleSplit },
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
  element('rest').addEventListener('click', takeRest);
  element('save').addEventListener('click', save);
  connectCompare();
  element('alert').querySelector('button')!.addEventListener('click', hideAlert);

  play.addEventListener('click', pause);
  const position = element<HTMLInputElement>('position');
  position.addEventListener('input', () => {
    // Recordings that are still being written have no end.
    if (source?.kind === 'video' && Number.isFinite(source.element.duration))
      source.element.currentTime = Number(position.value) * source.element.duration;
  });
  for (const id of ['faces', 'smoothing']) {
    element(id).addEventListener('change', () => void reopenTracker());
  }
  takeFiles(openFile, () => warn(NO_FILE));

  document.addEventListener('visibilitychange', () => hide(document.hidden));
  new ResizeObserver(() => render()).observe(stage.canvas);
  setInterval(() => {
    tellSpeed();
    showPaused();
  }, 500);
}

connect();
void openSample().then(keepOffline);
