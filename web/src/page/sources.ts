// What is shown: a picture, a video file or the camera.

import { closeCamera, openCamera } from './camera';
import { cameraLine, UNPLUGGED, UserMessage } from './messages';
import { readPicture } from './picture-file';

export interface Still {
  kind: 'picture';
  /** Absent for the last frame of what was stopped, which the page keeps. */
  bitmap?: ImageBitmap;
  mirrored: boolean;
  close: () => void;
}

export interface Moving {
  kind: 'video' | 'camera';
  element: HTMLVideoElement;
  mirrored: boolean;
  deviceId: string;
  close: () => void;
}

export type Source = Still | Moving;

export async function pictureSource(file: File): Promise<Still> {
  return still(await readPicture(file));
}

export function still(bitmap: ImageBitmap): Still {
  return { kind: 'picture', bitmap, mirrored: false, close: () => bitmap.close() };
}

export async function videoSource(file: File): Promise<Moving> {
  const element = player();
  const url = URL.createObjectURL(file);
  element.loop = true;
  element.src = url;
  try {
    await loaded(element);
  } catch {
    URL.revokeObjectURL(url);
    throw new UserMessage(
      `${file.name} is no video that this browser plays. MP4 with H.264 and WebM play everywhere.`,
    );
  }
  await element.play().catch(() => undefined); // waits for a click where the browser wants one
  const close = (): void => {
    element.removeAttribute('src');
    element.load();
    URL.revokeObjectURL(url);
  };
  return { kind: 'video', element, mirrored: false, deviceId: '', close };
}

/** @param onEnd Called with a line if the camera goes away. */
export async function cameraSource(
  deviceId: string | undefined,
  onEnd: (line: string) => void,
): Promise<Moving> {
  const camera = await openCamera(deviceId, () => onEnd(UNPLUGGED));
  const element = player();
  element.srcObject = camera.stream;
  try {
    await loaded(element);
    await element.play();
  } catch (error) {
    closeCamera(camera); // its light would stay on
    throw new UserMessage(cameraLine(error));
  }
  const close = (): void => {
    closeCamera(camera);
    element.srcObject = null;
  };
  return {
    kind: 'camera',
    element,
    mirrored: camera.mirrored,
    deviceId: camera.deviceId,
    close,
  };
}

function player(): HTMLVideoElement {
  const element = document.createElement('video');
  element.muted = true;
  element.playsInline = true;
  return element;
}

function loaded(element: HTMLVideoElement): Promise<void> {
  return new Promise((resolve, reject) => {
    element.addEventListener(
      'loadeddata',
      () => (element.videoWidth ? resolve() : reject(new Error('no picture'))),
      { once: true },
    );
    element.addEventListener('error', () => reject(element.error ?? new Error('unknown')), {
      once: true,
    });
  });
}

/** Calls back for each new frame, until the source or the callback says stop. */
export function eachFrame(source: Moving, look: (seconds: number) => Promise<boolean>): void {
  const { element } = source;
  const again = (): void => {
    if (element.requestVideoFrameCallback)
      element.requestVideoFrameCallback((now, { mediaTime }) => void step(now, mediaTime));
    else requestAnimationFrame((now) => void step(now, element.currentTime));
  };
  const step = async (now: number, mediaTime: number): Promise<void> => {
    const seconds = source.kind === 'camera' ? now / 1000 : mediaTime;
    if (await look(seconds)) again();
  };
  again();
}
