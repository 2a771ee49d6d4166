// What the user has chosen to see.

import { product, type Product, type ProductName } from '../lib/effects/makeup';

export type Drawing = 'mesh' | 'contours' | 'irises' | 'axes' | 'gaze';
export type PuppetStyle = 'off' | 'porcelain' | 'gold' | 'wire';

/** A product, and whether it is on. */
export interface Worn extends Product {
  on: boolean;
}

export interface Settings {
  products: Worn[];
  drawings: Set<Drawing>;
  puppet: PuppetStyle;
  /** Whether the puppet has a face of its own, moved by blendshapes, or the person's. */
  ownFace: boolean;
}

export const DRAWINGS: Record<Drawing, string> = {
  mesh: 'Mesh',
  contours: 'Contours',
  irises: 'Irises',
  axes: 'Head axes',
  gaze: 'Gaze',
};

export const PUPPETS: Record<PuppetStyle, string> = {
  off: 'Off',
  porcelain: 'Porcelain',
  gold: 'Gold',
  wire: 'Wire',
};

/** In the order in which they go on. */
export const PRODUCTS: Record<ProductName, string> = {
  irisTint: 'Lenses',
  blush: 'Blush',
  eyeShadow: 'Eye shadow',
  eyeliner: 'Eyeliner',
  lipstick: 'Lipstick',
};

/** Products that suit each other: colour and strength. */
export type Look = Partial<Record<ProductName, readonly [color: string, strength: number]>>;

export const LOOKS: Record<string, Look> = {
  None: {},
  Natural: {
    lipstick: ['#b4505a', 0.55],
    blush: ['#e0707a', 0.2],
    eyeliner: ['#2a1e1c', 0.5],
  },
  Evening: {
    lipstick: ['#a3092f', 0.85],
    blush: ['#c8465f', 0.2],
    eyeShadow: ['#5b3a6b', 0.65],
    eyeliner: ['#120f12', 0.9],
  },
  Ocean: {
    lipstick: ['#c2557e', 0.7],
    blush: ['#e58a8a', 0.2],
    eyeShadow: ['#1f7fa0', 0.7],
    eyeliner: ['#0f2436', 0.85],
    irisTint: ['#2d8fb5', 0.7],
  },
};

export function usual(): Settings {
  const names = Object.keys(PRODUCTS) as ProductName[];
  return {
    products: names.map((name) => ({ ...product(name), on: false })),
    drawings: new Set<Drawing>(['mesh', 'irises']),
    puppet: 'off',
    ownFace: true,
  };
}

/** Puts a look on: its products with its colours, the others off. */
export function wear(settings: Settings, look: Look): void {
  for (const worn of settings.products) {
    const chosen = look[worn.name];
    worn.on = chosen !== undefined;
    if (chosen) [worn.color, worn.strength] = chosen;
  }
}
