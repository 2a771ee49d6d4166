// Keys for what the mouse does; off while someone types, and on demand.

export interface Shortcut {
  key: string;
  what: string;
  run: () => void;
  /** Called when the key comes up, for what lasts as long as it is held. */
  end?: () => void;
}

const NAMES: Record<string, string> = { ' ': 'Space' };

/** Listens for the keys, and lists them. */
export function listen(
  shortcuts: readonly Shortcut[],
  list: HTMLElement,
  on: HTMLInputElement,
): void {
  const byKey = new Map(shortcuts.map((shortcut) => [shortcut.key, shortcut]));
  const found = (event: KeyboardEvent): Shortcut | undefined => {
    if (!on.checked || event.ctrlKey || event.metaKey || event.altKey || taken(event))
      return undefined;
    return byKey.get(event.key.toLowerCase());
  };
  document.addEventListener('keydown', (event) => {
    const shortcut = found(event);
    if (!shortcut) return;
    event.preventDefault();
    if (!event.repeat) shortcut.run();
  });
  document.addEventListener('keyup', (event) => byKey.get(event.key.toLowerCase())?.end?.());
  window.addEventListener('blur', () => shortcuts.forEach(({ end }) => end?.()));
  for (const { key, what } of shortcuts) {
    const [row, term, text] = [
      document.createElement('div'),
      document.createElement('dt'),
      document.createElement('dd'),
    ];
    const kbd = document.createElement('kbd');
    kbd.textContent = NAMES[key] ?? key.toUpperCase();
    term.append(kbd);
    text.textContent = what;
    row.append(term, text);
    list.append(row);
  }
}

/** Whether the focused control needs the key itself. */
function taken(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  if (target.closest('dialog, select, [contenteditable], textarea')) return true;
  if (event.key === ' ') return target.closest('button, input, summary') !== null;
  return (
    target instanceof HTMLInputElement &&
    !['checkbox', 'radio', 'range', 'color'].includes(target.type)
  );
}
