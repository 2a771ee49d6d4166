// The puppet's own face: the canonical one, which blendshapes move.

import { Blendshapes } from '../lib/blendshapes';
import { FACE } from '../lib/effects/face-data';
import { headPose } from '../lib/effects/pose';
import { loadModels } from '../lib/models';
import { Safetensors } from '../lib/safetensors';

// At rest. The canonical face has its lips apart and small eyes, which suits no puppet.
const REST: Record<string, number> = { mouthClose: 0.14, eyeWideLeft: 0.7, eyeWideRight: 0.7 };

/** How the canonical face moves [mm] for each expression; web/tools/blendshapes.py writes them. */
export class MorphTargets {
  readonly names: readonly string[];
  readonly #moves: Float32Array;

  constructor(content: Uint8Array<ArrayBuffer>) {
    const file = new Safetensors(content);
    this.names = JSON.parse(file.metadata['names']!) as string[];
    this.#moves = file.array('moves');
  }

  /** The face [mm] that makes these expressions; values in the order of the names. */
  face(values: ArrayLike<number>): Float32Array {
    const points = Float32Array.from(FACE.points);
    this.names.forEach((name, shape) => {
      let value = Math.max(values[shape]!, REST[name] ?? 0);
      // A blink closes eyes that are not wide.
      if (name.startsWith('eyeWide'))
        value *= 1 - values[this.names.indexOf(name.replace('Wide', 'Blink'))]!;
      if (!value) return;
      const start = shape * points.length;
      for (let i = 0; i < points.length; i++) points[i]! += value * this.#moves[start + i]!;
    });
    return points;
  }
}

/** Makes with the puppet's face what a person makes with theirs. */
export class PuppetFace {
  #blendshapes: Blendshapes;

  private constructor(
    private readonly network: Uint8Array<ArrayBuffer>,
    private readonly targets: MorphTargets,
  ) {
    this.#blendshapes = Blendshapes.from(network);
  }

  /** @param models Address of the folder with both files. */
  static async load(models: string): Promise<PuppetFace> {
    const names = ['blendshapes.safetensors', 'morph_targets.safetensors'];
    const [network, targets] = await loadModels(models, names);
    return new PuppetFace(network!.content, new MorphTargets(targets!.content));
  }

  /** The puppet's landmarks [px], with a person's expressions and in their pose. */
  imitate(landmarks: Float32Array): Float32Array {
    const points = this.targets.face(this.#blendshapes.values(landmarks));
    const { place } = headPose(landmarks);
    for (let i = 0; i < points.length; i += 3)
      points.set(place([points[i]!, points[i + 1]!, points[i + 2]!]), i);
    return points;
  }

  /** Makes a person's face as it is now the one at rest; without landmarks, forgets it. */
  rest(landmarks?: Float32Array): void {
    if (landmarks) this.#blendshapes.calibrate([landmarks]);
    else this.#blendshapes = Blendshapes.from(this.network);
  }
}
