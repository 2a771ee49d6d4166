import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { PreviewServer } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FACE } from '../../src/lib/effects/face-data';
import { PART } from '../../src/page/sample';
import { reference } from '../reference';
import { launch } from './browser';
import { blackPicture, openPage, ROOM, says, servePage, warns } from './page';

let server: PreviewServer & { url: string };
let browser: Browser;

beforeAll(async () => {
  server = await servePage();
  browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

/** Where pixels of the view differ after an action, as a box in pixels of the portrait. */
async function changes(page: Page, action: () => Promise<void>): Promise<number[]> {
  const read = (): Promise<void> =>
    page.evaluate(() => {
      const view = document.getElementById('view') as HTMLCanvasElement;
      const now = view.getContext('2d')!.getImageData(0, 0, view.width, view.height);
      const shown = globalThis as { before?: ImageData; now?: ImageData };
      [shown.before, shown.now] = [shown.now!, now];
    });
  await read();
  await action();
  await read();
  return page.evaluate((part) => {
    const { before, now } = globalThis as unknown as { before: ImageData; now: ImageData };
    const style = getComputedStyle(document.getElementById('stage')!);
    const [left, top, width] = ['--left', '--top', '--width'].map((name) =>
      parseFloat(style.getPropertyValue(name)),
    ) as [number, number, number];
    const box = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < now.data.length; i++) {
      if (now.data[i] === before.data[i]) continue;
      const pixel = Math.floor(i / 4);
      const x = part.left + (((pixel % now.width) - left) * part.side) / width;
      const y = part.top + ((Math.floor(pixel / now.width) - top) * part.side) / width;
      box[0] = Math.min(box[0]!, x);
      box[1] = Math.min(box[1]!, y);
      box[2] = Math.max(box[2]!, x);
      box[3] = Math.max(box[3]!, y);
    }
    return box;
  }, PART);
}

/** The box of landmarks of the portrait. */
function boxOf(rows: readonly number[]): number[] {
  const xs = rows.map((row) => reference.landmarks.all[row]![0]);
  const ys = rows.map((row) => reference.landmarks.all[row]![1]);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

describe('the page on the portrait', () => {
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    context = await browser.newContext({ viewport: ROOM });
    ({ page, complaints } = await openPage(context, server.url));
    await says(page, '1 face');
  });
  afterAll(() => context.close());

  it('draws the mesh over the face, and keys take it away', async () => {
    await page.keyboard.press('i');
    const box = await changes(page, () => page.keyboard.press('m'));
    const face = boxOf(FACE.oval);
    box.forEach((value, i) => expect(Math.abs(value - face[i]!)).toBeLessThan(4));
    expect(await changes(page, () => page.keyboard.press('?'))).toContain(Infinity); // nothing
    await page.keyboard.press('Escape');
  });

  it('puts lipstick on the lips alone', async () => {
    const { upper, lower } = FACE.lips[0]!;
    const box = await changes(page, () => page.check('input[name=lipstick]'));
    const lips = boxOf([...upper, ...lower]);
    expect(box[0]).toBeGreaterThan(lips[0]! - 5);
    expect(box[1]).toBeGreaterThan(lips[1]! - 5);
    expect(box[2]).toBeLessThan(lips[2]! + 5);
    expect(box[3]).toBeLessThan(lips[3]! + 5);
    expect(box[2]! - box[0]!).toBeGreaterThan(0.8 * (lips[2]! - lips[0]!));
  });

  it('shows the original while it is held', async () => {
    await page.keyboard.down('o');
    expect(await page.isVisible('#original')).toBe(true);
    await page.keyboard.up('o');
    expect(await page.isVisible('#original')).toBe(false);
  });

  it('says what it found again, after another choice', async () => {
    await page.click('summary');
    await page.selectOption('#faces', '4');
    await says(page, '1 face');
  });

  it('shows the puppet, and makes one for quick clicks', async () => {
    const made = await page.evaluateHandle(() => {
      const original = HTMLCanvasElement.prototype.getContext;
      const contexts = new Set<unknown>();
      HTMLCanvasElement.prototype.getContext = function (this: HTMLCanvasElement, ...args) {
        const context = original.apply(this, args as ['webgl2']) as RenderingContext | null;
        if (context instanceof WebGL2RenderingContext) contexts.add(context);
        return context;
      } as typeof original;
      for (const style of ['wire', 'gold', 'porcelain'])
        document.querySelector<HTMLInputElement>(`input[value=${style}]`)!.click();
      return contexts;
    });
    // Its neck is bright where the portrait is black. Without a GPU, shaders take their time.
    await page.waitForFunction(
      () => {
        const view = document.getElementById('view') as HTMLCanvasElement;
        const at = [view.width / 2, 0.67 * view.height, 1, 1] as const;
        return view
          .getContext('2d')!
          .getImageData(...at)
          .data.every((value) => value > 150);
      },
      undefined,
      { timeout: 240_000 },
    );
    expect(await made.evaluate((contexts) => contexts.size)).toBe(1);
    const apart = await changes(page, () => page.check('input[value=yours]', { force: true }));
    expect(apart[2]! - apart[0]!).toBeGreaterThan(30); // a person's face is another
    await page.check('input[value=own]', { force: true });
    await page.click('#rest');
    expect(await warns(page)).toBe('The mouth is open in calibration: close it and try again.');
    await page.check('input[value=off]', { force: true });
    expect(await page.isVisible('#rest')).toBe(false);
  }, 250_000);

  it.each([
    [
      'notes.txt',
      'text/plain',
      [...'hello'].map((letter) => letter.charCodeAt(0)),
      'not a picture',
    ],
    ['empty.png', 'image/png', [], 'is empty'],
    [
      'p.heic',
      'image/heic',
      [0, 0, 0, 24, ...[...'ftypheic'].map((l) => l.charCodeAt(0)), 0, 0],
      'HEIC',
    ],
    ['torn.jpg', 'image/jpeg', [0xff, 0xd8, 0xff], 'cannot be read'],
    [
      'huge.png',
      'image/png',
      [
        0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0x27, 0x10, 0, 0,
        0x27, 0x10,
      ],
      '100 megapixels',
    ],
  ])('says what is wrong with %s, and keeps the picture', async (name, mimeType, bytes, part) => {
    await page.setInputFiles('#picture-file', { name, mimeType, buffer: Buffer.from(bytes) });
    expect(await warns(page, part)).toContain(name);
    expect(await page.isVisible('#empty')).toBe(false);
  });

  it('says that a video cannot be played', async () => {
    const file = { name: 'clip.mp4', mimeType: 'video/mp4', buffer: Buffer.from('hello') };
    await page.setInputFiles('#video-file', file);
    await warns(page, 'clip.mp4 is no video');
  });

  it('says that a picture has no face', async () => {
    await page.setInputFiles('#picture-file', await blackPicture(page));
    await says(page, 'No face in the picture');
  });

  it('links to the licences of all that is in it', async () => {
    await page.click('#help');
    const popup = page.waitForEvent('popup');
    await page.click('#help-dialog a');
    const text = await (await popup).textContent('body');
    for (const name of ['The amesh authors', 'three 0', '@litertjs/core', 'onnxruntime-web'])
      expect(text).toContain(name);
    await (await popup).close();
    await page.keyboard.press('Escape');
  });

  it('never makes the browser complain, nor breaks its policy', () => {
    expect(complaints).toEqual([]);
  });
});
