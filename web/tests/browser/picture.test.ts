/** Draws docs/images/page.webp; see `nox -s web_picture`. PAGE_PICTURE names the file. */

import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { PART } from '../../src/page/sample';
import { launch } from './browser';
import { ROOM, says, servePage } from './page';

const { PAGE_PICTURE } = process.env;
const QUICK = 100; // ms for the landmarks of one face; a busy machine takes longer

it.runIf(PAGE_PICTURE)('draws the page', { timeout: 600_000 }, async () => {
  const server = await servePage();
  const browser = await launch();
  const page = await browser.newPage({ viewport: ROOM, colorScheme: 'light' });
  await page.goto(server.url);
  await says(page, '1 face');
  const portrait = await page.evaluate(async ({ left, top, side }) => {
    const image = new Image();
    image.src = './astronaut.png';
    await image.decode();
    const canvas = new OffscreenCanvas(side, side);
    canvas.getContext('2d')!.drawImage(image, -left, -top);
    return [...new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())];
  }, PART);
  // Again until the times are those of a page that has been used, on a machine with nothing else to do.
  const milliseconds = async (): Promise<number> => {
    const buffer = Buffer.from(portrait);
    await page.setInputFiles('#picture-file', { name: 'x.png', mimeType: 'image/png', buffer });
    await page.waitForTimeout(2000);
    return parseFloat((await page.textContent('#parts div:nth-child(3) dd'))!);
  };
  await expect.poll(milliseconds, { timeout: 500_000, interval: 1000 }).toBeLessThan(QUICK);
  for (const name of ['mesh', 'irises']) await page.uncheck(`input[name=${name}]`, { force: true });
  await page.click('text=Evening');
  await page.click('#compare');
  await page.mouse.move(0, 0);
  await page.waitForTimeout(500);
  const png = `data:image/png;base64,${(await page.screenshot()).toString('base64')}`;
  const webp = await page.evaluate(async (url) => {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.width, image.height];
    canvas.getContext('2d')!.drawImage(image, 0, 0);
    return canvas.toDataURL('image/webp', 0.9).split(',')[1]!;
  }, png);
  writeFileSync(PAGE_PICTURE!, Buffer.from(webp, 'base64'));
  await browser.close();
  await server.close();
});
