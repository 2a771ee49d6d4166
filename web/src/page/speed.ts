// How fast the page is, by part, and why.

/** Milliseconds of a frame, by part. */
export type Parts = Record<'detector' | 'crop' | 'network' | 'makeup' | 'drawing', number>;

const NAMES: Record<keyof Parts, string> = {
  detector: 'Finding faces',
  crop: 'Cutting crops',
  network: 'Landmarks',
  makeup: 'Makeup',
  drawing: 'Drawing',
};
const SHARE = 0.15; // of a new frame in what is shown
const SMOOTH = 24; // frames a second that look like motion

/** Means over the last frames. */
export class Speed {
  private parts: Parts | undefined;
  private interval = 0;
  private last = 0;

  add(parts: Parts, now: number): void {
    if (this.parts) {
      for (const name of Object.keys(parts) as (keyof Parts)[]) {
        this.parts[name] += SHARE * (parts[name] - this.parts[name]);
      }
    } else this.parts = { ...parts };
    if (this.last) this.interval += (this.interval ? SHARE : 1) * (now - this.last - this.interval);
    this.last = now;
  }

  /** Before another source. */
  reset(): void {
    this.parts = undefined;
    this.interval = this.last = 0;
  }

  get rate(): number {
    return this.interval ? 1000 / this.interval : 0;
  }

  get milliseconds(): Parts | undefined {
    return this.parts;
  }
}

/** What decides how fast networks run here. */
export interface Circumstances {
  runtime: string;
  isolated: boolean;
  cores: number;
}

/** One or two sentences: what runs the networks, and what takes the time if frames are late. */
export function explanation(rate: number, parts: Parts | undefined, about: Circumstances): string {
  const runs = `Networks run in ${about.runtime}.`;
  if (!parts || !rate || rate >= SMOOTH) return runs;
  const names = Object.keys(parts) as (keyof Parts)[];
  const total = names.reduce((sum, name) => sum + parts[name], 0);
  if (total < 0.6 * (1000 / rate))
    return `${runs} The camera or the video gives no more frames, or other programs are busy.`;
  const slowest = names.reduce((one, other) => (parts[other] > parts[one] ? other : one));
  const what = `${NAMES[slowest]} takes ${Math.round(parts[slowest])} of ${Math.round(total)} ms a frame`;
  if (slowest === 'network' || slowest === 'detector') {
    if (!about.isolated && about.cores > 1 && !about.runtime.includes('(WebGPU)')) {
      return `${runs} ${what}: on one of ${about.cores} cores, because the server does not send the COOP and COEP headers that threads need. Following fewer faces helps, too.`;
    }
    return `${runs} ${what}; following fewer faces helps.`;
  }
  return `${runs} ${what}; fewer effects or a smaller window helps.`;
}

/** Writes the table: a bar for each part that takes time. */
export function showSpeed(list: HTMLElement, rate: HTMLElement, speed: Speed, live: boolean): void {
  const parts = speed.milliseconds;
  rate.textContent = live && speed.rate ? `${short(speed.rate)} frames/s` : '';
  list.hidden = !parts;
  if (!parts) return;
  const names = Object.keys(NAMES) as (keyof Parts)[];
  const most = Math.max(16, ...names.map((name) => parts[name]));
  if (list.childElementCount !== names.length) list.replaceChildren(...names.map(() => row()));
  names.forEach((name, i) => {
    const [term, value] = list.children[i]!.children as unknown as [HTMLElement, HTMLElement];
    term.textContent = NAMES[name];
    value.textContent = `${short(parts[name])} ms`;
    (list.children[i] as HTMLElement).style.setProperty('--share', String(parts[name] / most));
  });
}

function short(value: number): string {
  return value < 10 ? value.toFixed(1) : String(Math.round(value));
}

function row(): HTMLElement {
  const row = document.createElement('div');
  row.append(document.createElement('dt'), document.createElement('dd'));
  return row;
}
