// The picture that the page opens with: NASA's portrait of Eileen Collins, in the public domain.

export const SAMPLE = './astronaut.png';
/** What is shown of it [px]: the head and the shoulders. */
export const PART = { left: 70, top: 0, side: 310 };

/** The picture; nothing if the host does not have it. */
export async function readSample(): Promise<ImageBitmap | undefined> {
  try {
    const response = await fetch(SAMPLE);
    if (!response.ok) return undefined;
    return await createImageBitmap(
      await response.blob(),
      PART.left,
      PART.top,
      PART.side,
      PART.side,
    );
  } catch {
    return undefined; // not there, or no picture
  }
}
