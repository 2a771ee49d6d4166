// The original beside what is made of it: while a button is held, or left of a line.

import { render, stage, view } from './app';
import { element } from './panel';

const STEPS: Record<string, number> = {
  ArrowLeft: -0.05,
  ArrowDown: -0.05,
  ArrowRight: 0.05,
  ArrowUp: 0.05,
  Home: -1,
  End: 1,
};

const split = element('split');

export function holdOriginal(on: boolean): void {
  if (stage.original === on) return;
  stage.original = on;
  element('hold').setAttribute('aria-pressed', String(on));
  element('original').hidden = !on;
  render();
}

export function toggleSplit(): void {
  const on = stage.split === undefined;
  stage.split = on ? Number(split.getAttribute('aria-valuenow')) / 100 : undefined;
  element('compare').setAttribute('aria-pressed', String(on));
  split.hidden = !on;
  render();
}

export function connectCompare(): void {
  element('compare').addEventListener('click', toggleSplit);
  const hold = element('hold');
  hold.addEventListener('pointerdown', () => holdOriginal(true));
  for (const end of ['pointerup', 'pointerleave', 'pointercancel']) {
    hold.addEventListener(end, () => holdOriginal(false));
  }
  // Keys press and release; screen readers click.
  hold.addEventListener('click', (event) => event.detail === 0 && holdOriginal(!stage.original));

  split.addEventListener('pointerdown', (event) => split.setPointerCapture(event.pointerId));
  split.addEventListener('pointermove', (event) => {
    if (!split.hasPointerCapture(event.pointerId) || !view) return;
    const place = stage.place(view.original.width, view.original.height);
    const left = stage.canvas.getBoundingClientRect().left + place.left;
    splitAt((event.clientX - left) / place.width);
  });
  split.addEventListener('keydown', (event) => {
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    splitAt((stage.split ?? 0.5) + step);
  });
}

function splitAt(share: number): void {
  const at = Math.min(Math.max(share, 0), 1);
  stage.split = at;
  split.setAttribute('aria-valuenow', String(Math.round(100 * at)));
  element('stage').style.setProperty('--split', String(at));
  render();
}
