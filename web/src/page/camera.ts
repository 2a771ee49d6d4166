// The camera: opened, released, and shared between tabs.

import { cameraLine, NO_CAMERA_API, UserMessage } from './messages';

const CHANNEL = 'amesh-camera';

/** A camera that runs. */
export interface Camera {
  stream: MediaStream;
  deviceId: string;
  /** Pictures of a camera that looks at its user are shown as in a mirror. */
  mirrored: boolean;
}

/**
 * Opens a camera.
 *
 * @param deviceId Which one; otherwise one that looks at the user.
 * @param onEnd Called if it is unplugged or another tab takes it.
 */
export async function openCamera(deviceId?: string, onEnd?: () => void): Promise<Camera> {
  // Absent where the page does not come from https or localhost.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (!devices?.getUserMedia) throw new UserMessage(NO_CAMERA_API);
  const which = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: 'user' };
  try {
    const stream = await devices.getUserMedia({
      audio: false,
      video: { ...which, width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } },
    });
    const track = stream.getVideoTracks()[0]!;
    if (onEnd) track.addEventListener('ended', onEnd);
    const found = track.getSettings();
    return { stream, deviceId: found.deviceId ?? '', mirrored: found.facingMode !== 'environment' };
  } catch (error) {
    throw new UserMessage(cameraLine(error));
  }
}

export function closeCamera(camera: Camera): void {
  for (const track of camera.stream.getTracks()) track.stop();
}

/** The next camera after this one; nothing if it is the only one. */
export async function otherCamera(deviceId: string): Promise<string | undefined> {
  const all = await navigator.mediaDevices.enumerateDevices().catch(() => []);
  const cameras = all.filter(({ kind }) => kind === 'videoinput').map((device) => device.deviceId);
  if (cameras.length < 2) return undefined;
  return cameras[(cameras.indexOf(deviceId) + 1) % cameras.length];
}

/** Tells other tabs that this one uses the camera, and calls back when another does. */
export function shareCamera(onTaken: () => void): () => void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.addEventListener('message', onTaken);
  return () => channel.postMessage('taken');
}
