import { FaceTracker, TRIANGLES } from '../lib/index';

const canvas = document.querySelector('canvas')!;
const status = document.querySelector('p')!;

async function main(): Promise<void> {
  const image = new Image();
  image.src = 'astronaut.png';
  await image.decode();
  const tracker = await FaceTracker.create({
    models: 'models/',
    onProgress: (done, total) => (status.textContent = `${Math.round((100 * done) / total)} %`),
  });
  const faces = await tracker.detect(image);
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext('2d')!;
  context.drawImage(image, 0, 0);
  context.strokeStyle = '#fff8';
  context.lineWidth = 0.5;
  context.beginPath();
  for (const { landmarks } of faces) {
    for (let i = 0; i < TRIANGLES.length; i += 3) {
      for (let k = 0; k < 3; k++) {
        const at = 3 * TRIANGLES[i + k]!;
        const point = [landmarks[at]!, landmarks[at + 1]!] as const;
        if (k) context.lineTo(...point);
        else context.moveTo(...point);
      }
      context.closePath();
    }
  }
  context.stroke();
  const { total } = tracker.timings;
  status.textContent = `${faces.length} face in ${total.toFixed(0)} ms on ${tracker.runtime}`;
}

main().catch((error: unknown) => (status.textContent = String(error)));
