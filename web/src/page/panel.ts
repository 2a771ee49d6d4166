// The controls of the effects.

import {
  DRAWINGS,
  LOOKS,
  PRODUCTS,
  PUPPETS,
  wear,
  type Drawing,
  type Settings,
  type Worn,
} from './settings';

export interface Panel {
  /** Shows the settings as they are now. */
  refresh: () => void;
}

/** Fills the panel, and keeps the settings and its controls the same. */
export function openPanel(settings: Settings, onChange: () => void): Panel {
  const updates: (() => void)[] = [];
  const refresh = (): void => updates.forEach((update) => update());
  const changed = (): void => {
    refresh();
    onChange();
  };
  element('looks').append(
    ...Object.entries(LOOKS).map(([name, look]) => {
      const button = make('button', 'look', { type: 'button' });
      const dots = make('span', 'dots');
      const colors = Object.values(look).map(([color]) => color);
      for (const color of colors.slice(0, 3)) {
        const dot = make('i', '');
        dot.style.background = color;
        dots.append(dot);
      }
      button.append(dots, name);
      button.addEventListener('click', () => {
        wear(settings, look);
        changed();
      });
      updates.push(() => {
        const on = settings.products.every((worn) => {
          const chosen = look[worn.name];
          return chosen
            ? worn.on && worn.color === chosen[0] && worn.strength === chosen[1]
            : !worn.on;
        });
        button.setAttribute('aria-pressed', String(on));
      });
      return button;
    }),
  );
  // Lips first: what most people try.
  element('products').append(
    ...[...settings.products].reverse().map((worn) => productRow(worn, updates, changed)),
  );
  element('drawings').append(
    ...(Object.entries(DRAWINGS) as [Drawing, string][]).map(([name, label]) => {
      const box = make('input', '', { type: 'checkbox', name });
      box.addEventListener('change', () => {
        if (box.checked) settings.drawings.add(name);
        else settings.drawings.delete(name);
        changed();
      });
      updates.push(() => (box.checked = settings.drawings.has(name)));
      return labelled(box, label, 'chip');
    }),
  );
  const segments = <Value extends string>(
    name: string,
    labels: Record<Value, string>,
    chosen: () => Value,
    choose: (value: Value) => void,
  ): HTMLElement[] =>
    (Object.entries(labels) as [Value, string][]).map(([value, label]) => {
      const radio = make('input', '', { type: 'radio', name, value });
      radio.addEventListener('change', () => {
        choose(value);
        changed();
      });
      updates.push(() => (radio.checked = chosen() === value));
      return labelled(radio, label, 'segment');
    });
  element('puppets').append(
    ...segments(
      'puppet',
      PUPPETS,
      () => settings.puppet,
      (style) => (settings.puppet = style),
    ),
  );
  element('puppet-faces').append(
    ...segments(
      'puppet-face',
      { own: 'Its own face', yours: 'Your face' },
      () => (settings.ownFace ? 'own' : 'yours'),
      (value) => (settings.ownFace = value === 'own'),
    ),
  );
  updates.push(() => {
    element('puppet-faces').hidden = settings.puppet === 'off';
    element('rest').hidden = settings.puppet === 'off' || !settings.ownFace;
  });
  refresh();
  return { refresh };
}

function productRow(worn: Worn, updates: (() => void)[], changed: () => void): HTMLElement {
  const name = PRODUCTS[worn.name];
  const row = make('div', 'product');
  const box = make('input', 'switch', { type: 'checkbox', name: worn.name });
  const color = make('input', '', { type: 'color', 'aria-label': `Colour: ${name}` });
  const strength = make('input', '', {
    type: 'range',
    min: '5',
    max: '100',
    'aria-label': `Strength: ${name}`,
  });
  box.addEventListener('change', () => {
    worn.on = box.checked;
    changed();
  });
  // Choosing a colour or a strength of something that is off asks for it.
  color.addEventListener('input', () => {
    [worn.color, worn.on] = [color.value, true];
    changed();
  });
  strength.addEventListener('input', () => {
    [worn.strength, worn.on] = [Number(strength.value) / 100, true];
    changed();
  });
  updates.push(() => {
    box.checked = worn.on;
    color.value = worn.color;
    strength.value = String(Math.round(100 * worn.strength));
    row.classList.toggle('on', worn.on);
  });
  row.append(labelled(box, name, 'name'), color, strength);
  return row;
}

function labelled(control: HTMLElement, text: string, className: string): HTMLElement {
  const label = make('label', className);
  const words = make('span', '');
  words.textContent = text;
  label.append(control, words);
  return label;
}

function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  className: string,
  attributes: Record<string, string> = {},
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  if (className) made.className = className;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** An element of the page, which has it. */
export function element<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as Kind;
}
