// The canvas that shows the picture: fitted, sharp on every screen, and compared with the original.

/** What the stage shows. */
export interface View {
  original: HTMLCanvasElement;
  made: HTMLCanvasElement;
  mirrored: boolean;
  /** Draws over the picture, in the picture's pixels; zoom is the screen's pixels per one of these. */
  overlay: (context: CanvasRenderingContext2D, zoom: number) => void;
}

/** Where the picture lies in the canvas [CSS px]. */
export interface Place {
  left: number;
  top: number;
  width: number;
  height: number;
}

const CORNER = 18; // radius [CSS px]

export class Stage {
  /** Shows the original alone. */
  original = false;
  /** Shows the original up to this share of the width. */
  split: number | undefined;
  private readonly context: CanvasRenderingContext2D;

  constructor(readonly canvas: HTMLCanvasElement) {
    this.context = canvas.getContext('2d')!;
  }

  /** Where a picture of this size is drawn: as large as fits, at most three times its size. */
  place(width: number, height: number): Place {
    const { clientWidth, clientHeight } = this.canvas;
    const zoom = Math.min(clientWidth / width, clientHeight / height, 3);
    const [w, h] = [zoom * width, zoom * height];
    return { left: (clientWidth - w) / 2, top: (clientHeight - h) / 2, width: w, height: h };
  }

  show(view: View): Place {
    const { canvas, context } = this;
    const density = window.devicePixelRatio || 1;
    const [width, height] = [
      Math.round(density * canvas.clientWidth),
      Math.round(density * canvas.clientHeight),
    ];
    if (canvas.width !== width || canvas.height !== height)
      [canvas.width, canvas.height] = [width, height];
    const place = this.place(view.original.width, view.original.height);
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    context.save();
    context.beginPath();
    context.roundRect(place.left, place.top, place.width, place.height, CORNER);
    context.clip();
    const shown = this.original ? 1 : (this.split ?? 0);
    if (shown < 1) this.part(view, place, shown, 1, false);
    if (shown > 0) this.part(view, place, 0, shown, true);
    context.restore();
    return place;
  }

  clear(): void {
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  /** Draws the picture between two shares of its width. */
  private part(view: View, place: Place, from: number, to: number, original: boolean): void {
    const { context } = this;
    const picture = original ? view.original : view.made;
    const zoom = place.width / picture.width;
    context.save();
    context.beginPath();
    context.rect(
      place.left + from * place.width,
      place.top,
      (to - from) * place.width,
      place.height,
    );
    context.clip();
    context.translate(place.left, place.top);
    context.scale(zoom, zoom);
    if (view.mirrored) mirror(context, picture.width);
    context.imageSmoothingQuality = 'high';
    context.drawImage(picture, 0, 0);
    if (!original) view.overlay(context, zoom);
    context.restore();
  }
}

/** The picture with what is drawn on it, in its own pixels. */
export function saved(view: View): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = view.made.width;
  canvas.height = view.made.height;
  const context = canvas.getContext('2d')!;
  if (view.mirrored) mirror(context, canvas.width);
  context.drawImage(view.made, 0, 0);
  view.overlay(context, 1);
  return canvas;
}

function mirror(context: CanvasRenderingContext2D, width: number): void {
  context.translate(width, 0);
  context.scale(-1, 1);
}
