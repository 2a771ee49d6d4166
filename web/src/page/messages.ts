// What the page says when something is not possible: one line, with what to do.

/** A sentence for the user. */
export class UserMessage extends Error {
  override readonly name = 'UserMessage';
}

const UNKNOWN = 'Reload the page; if it happens again, please report it with this line';

/** The line for whatever was thrown. Errors of this project speak to users already. */
export function line(thrown: unknown): string {
  if (thrown instanceof Error && (thrown.name === 'UserMessage' || thrown.name === 'AmeshError')) {
    return sentence(thrown.message);
  }
  return `Something unexpected happened (${thrown instanceof Error ? thrown.message : String(thrown)}). ${UNKNOWN}.`;
}

function sentence(text: string): string {
  // Names of files stay as they are.
  const upper = /^[a-z]+[ ,]/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return /[.!?]$/.test(upper) ? upper : `${upper}.`;
}

/** The line for a camera that does not start, by the name of what `getUserMedia` throws. */
export function cameraLine(thrown: unknown): string {
  const name = thrown instanceof Error ? thrown.name : '';
  switch (name) {
    case 'NotAllowedError':
      return 'The camera is blocked. Allow it for this page beside the address, or in the system’s privacy settings, and start it again.';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'No camera was found. Connect one and start again, or choose a picture.';
    case 'NotReadableError':
    case 'AbortError':
      return 'The camera is in use by another program or tab. Close that one and start again.';
    case 'SecurityError':
      return 'This page may not use the camera: its server or the browser’s settings forbid it.';
    default:
      return `The camera did not start (${thrown instanceof Error ? thrown.message : String(thrown)}).`;
  }
}

export const NO_CAMERA_API =
  'Browsers give the camera only to pages from https:// or localhost. Open this page at such an address.';
export const UNPLUGGED = 'The camera was unplugged or switched off. Connect it and start again.';
export const OTHER_TAB =
  'The camera was stopped here, because amesh uses it in another tab. Start it again to take it back.';
export const NO_FILE = 'That was no file. Drop a picture or a video from your computer.';
export const PUPPET_LOST =
  'The graphics device was lost, and with it the puppet. Choose it again, or reload the page.';
export const PUPPET_OFFLINE =
  'The puppet cannot be loaded without a connection; open it once with one.';
