// A puppet that does what a face does: the live mesh on a head, drawn by three.js.

import {
  AmbientLight,
  CircleGeometry,
  CylinderGeometry,
  Color,
  DirectionalLight,
  DoubleSide,
  EqualStencilFunc,
  Float32BufferAttribute,
  Group,
  LatheGeometry,
  LineBasicMaterial,
  LineSegments,
  type Material,
  Mesh,
  MeshBasicMaterial,
  MeshStandardMaterial,
  PerspectiveCamera,
  PMREMGenerator,
  ReplaceStencilOp,
  Scene,
  SphereGeometry,
  SRGBColorSpace,
  ACESFilmicToneMapping,
  CanvasTexture,
  Vector2,
  WebGLRenderer,
  WireframeGeometry,
} from 'three';
import { RoomEnvironment } from 'three/addons/environments/RoomEnvironment.js';
import { FACE } from '../lib/effects/face-data';
import { headPose, type Pose } from '../lib/effects/pose';
import { turn } from '../lib/effects/rotation';
import type { Product } from '../lib/effects/makeup';
import { UserMessage } from './messages';
import { irisTexture, paintedFace, PORCELAIN } from './puppet-paint';
import { PuppetFace } from './puppet-face';
import { HeadSurface } from './puppet-head';
import type { PuppetStyle } from './settings';

const FIELD = 24; // of view [degrees]
const DISTANCE = 900; // of the camera [mm]
const SWAY = 90; // how far the head moves with the face across the picture [mm]

// Marks in the stencil buffer.
const EYES = 1;
const MOUTH = 2;

const SKIN: Record<Exclude<PuppetStyle, 'off'>, { color: string; metal: number; rough: number }> = {
  porcelain: { color: '#ffffff', metal: 0, rough: 0.3 },
  gold: { color: '#e2ac4d', metal: 1, rough: 0.24 },
  wire: { color: '#101216', metal: 0, rough: 1 },
};

/**
 * Loads the puppet.
 *
 * @param models Address of the folder with what moves its face.
 */
export async function openPuppet(models: string, onLost: () => void): Promise<Puppet> {
  return new Puppet(await PuppetFace.load(models), onLost);
}

/** The scene; it draws on a canvas of its own. */
export class Puppet {
  private readonly renderer: WebGLRenderer;
  private readonly scene = new Scene();
  private readonly camera = new PerspectiveCamera(FIELD, 1, 10, 3000);
  private readonly head = new Group();
  private readonly surface = new HeadSurface();
  private readonly skin = new MeshStandardMaterial();
  private readonly plain = new MeshStandardMaterial(); // the same without paint, for ears and neck
  private readonly wires: LineSegments;
  private readonly irises: Mesh[];
  private readonly bust: Mesh;
  private readonly rigid = new Group();
  private worn = '';

  /**
   * @param face The face that it has of its own.
   * @param onLost Called if the graphics device goes away.
   */
  constructor(
    readonly face: PuppetFace,
    onLost: () => void,
  ) {
    try {
      this.renderer = new WebGLRenderer({ alpha: true, antialias: true, stencil: true });
    } catch {
      throw new UserMessage(
        'The puppet needs WebGL, which this browser does not have or has switched off.',
      );
    }
    this.renderer.domElement.addEventListener('webglcontextlost', onLost);
    this.renderer.toneMapping = ACESFilmicToneMapping;
    this.renderer.toneMappingExposure = 1.05;
    // Small: what it reflects is blurred anyway, and without a GPU it takes seconds.
    const environment = new PMREMGenerator(this.renderer).fromScene(
      new RoomEnvironment(),
      0.03,
      0.1,
      100,
      { size: 64 },
    );
    this.scene.environment = environment.texture;
    this.scene.environmentIntensity = 0.45;
    this.scene.add(
      new AmbientLight('#cfd6ff', 0.35),
      light('#fff1e0', 2.1, -300, 380, 520),
      light('#8fb4ff', 2.4, 420, 160, -360),
    );
    this.scene.add(this.head);

    const { skin, eyes, mouth } = this.surface;
    const white = new MeshStandardMaterial({ color: '#f4f1ec', roughness: 0.15 });
    const dark = new MeshBasicMaterial({ color: '#3a0f16' });
    white.side = dark.side = DoubleSide;
    this.irises = FACE.eyes.map(() => new Mesh(new CircleGeometry(1, 40), within(EYES)));
    this.wires = new LineSegments(
      new WireframeGeometry(skin),
      new LineBasicMaterial({ color: '#8ff0d0', transparent: true, opacity: 0.75 }),
    );
    const profile = BUST.map(([radius, height]) => new Vector2(radius, height));
    this.bust = new Mesh(new LatheGeometry(profile, 48), this.plain);
    const teeth = new Mesh(teethGeometry(), within(MOUTH));
    teeth.material.vertexColors = true;
    for (const mesh of [...this.irises, teeth]) mesh.renderOrder = 1; // after what shows them
    this.rigid.add(...[-1, 1].map((side) => ear(side, this.plain)), teeth);
    this.rigid.matrixAutoUpdate = false;
    this.head.add(
      new Mesh(skin, this.skin),
      new Mesh(eyes, marking(white, EYES)),
      new Mesh(mouth, marking(dark, MOUTH)),
      ...this.irises,
      this.wires,
      this.rigid,
      this.bust,
    );
  }

  /** Puts on a style and the makeup. */
  dress(style: Exclude<PuppetStyle, 'off'>, products: readonly Product[]): void {
    const worn = JSON.stringify([style, products]);
    if (worn === this.worn) return;
    this.worn = worn;
    const { color, metal, rough } = SKIN[style];
    this.skin.map?.dispose();
    this.skin.map = style === 'porcelain' ? texture(paintedFace(products)) : null;
    for (const material of [this.skin, this.plain]) {
      material.color = new Color(material === this.plain && this.skin.map ? PORCELAIN : color);
      material.metalness = metal;
      material.roughness = rough;
    }
    this.skin.polygonOffset = style === 'wire'; // so that the lines lie before the surface
    this.skin.polygonOffsetFactor = this.skin.polygonOffsetUnits = 1;
    this.skin.needsUpdate = true;
    this.wires.visible = style === 'wire';
    const tint = products.find(({ name }) => name === 'irisTint')?.color;
    const pattern = irisTexture(
      style === 'porcelain' ? (tint ?? '#5a7d6a') : style === 'gold' ? '#8a5a1c' : '#8ff0d0',
    );
    for (const mesh of this.irises) {
      const material = mesh.material as MeshBasicMaterial;
      material.map?.dispose();
      material.map = texture(pattern);
      material.needsUpdate = true;
    }
  }

  /**
   * Draws a face.
   *
   * @param landmarks [px of a picture of this width and height].
   * @param size Of the result [px].
   */
  draw(
    landmarks: Float32Array,
    picture: { width: number; height: number },
    size: { width: number; height: number },
  ): HTMLCanvasElement {
    const pose = headPose(landmarks);
    const placed = this.surface.follow(landmarks, pose);
    this.placeIrises(placed, pose);
    this.turnWithHead(pose);
    if (this.wires.visible) this.surface.writeEdges(this.wires.geometry);
    const [x, y] = [0, 1].map((axis) => {
      let sum = 0;
      for (const row of FACE.rigid) sum += landmarks[3 * row + axis]!;
      return sum / FACE.rigid.length;
    }) as [number, number];
    const side = Math.max(picture.width, picture.height);
    this.head.position.set(
      (SWAY * (x - picture.width / 2)) / side,
      34 - (SWAY * (y - picture.height / 2)) / side,
      0,
    );
    const aspect = size.width / size.height;
    this.camera.aspect = aspect;
    this.camera.position.z = DISTANCE * Math.max(1, 0.82 / aspect);
    this.camera.updateProjectionMatrix();
    this.renderer.setPixelRatio(1);
    this.renderer.setSize(size.width, size.height, false);
    this.renderer.render(this.scene, this.camera);
    return this.renderer.domElement;
  }

  private placeIrises(placed: Float32Array, pose: Pose): void {
    FACE.eyes.forEach((eye, side) => {
      const [centre, ...ring] = eye.iris as [number, number, number, number, number];
      const at = (row: number, axis: number): number => placed[3 * row + axis]!;
      let radius = 0;
      for (const row of ring)
        radius += Math.hypot(at(row, 0) - at(centre, 0), at(row, 1) - at(centre, 1)) / 4;
      const mesh = this.irises[side]!;
      mesh.position.set(at(centre, 0), at(centre, 1), at(centre, 2) + 2);
      mesh.scale.setScalar(Math.max(radius, 1));
      const [x, y, z] = turn(pose.rotation, 0, 0, -1);
      mesh.lookAt(
        mesh.position.x + this.head.position.x + 0.6 * x,
        mesh.position.y + this.head.position.y - 0.6 * y,
        mesh.position.z - z,
      );
    });
  }

  /** Ears and teeth turn with the head; the neck only follows. */
  private turnWithHead({ rotation }: Pose): void {
    const [x, y, z] = turn(rotation, 0, 0, 1);
    this.bust.position.set(40 * x, -40 * y, -35 * z);
    const [a, b, c, d, e, f, g, h, i] = rotation as [
      number, number, number, number, number, number, number, number, number,
    ]; // prettier-ignore
    // In three's axes, y and z point the other way.
    this.rigid.matrix.set(a, -b, -c, 0, -d, e, f, 0, -g, h, i, 0, 0, 0, 0, 1);
    this.rigid.matrixWorldNeedsUpdate = true;
  }
}

/** Radius and height of the neck and the shoulders [mm], from below. */
const BUST: readonly (readonly [number, number])[] = [
  [168, -250], [160, -232], [130, -212], [90, -196], [62, -180], [50, -160], [45, -130], [44, -90], [46, -55], [36, -30],
]; // prettier-ignore

function light(
  color: string,
  intensity: number,
  x: number,
  y: number,
  z: number,
): DirectionalLight {
  const lamp = new DirectionalLight(color, intensity);
  lamp.position.set(x, y, z);
  return lamp;
}

/** Marks the pixels that it draws. */
function marking<Kind extends Material>(material: Kind, mark: number): Kind {
  material.stencilWrite = true;
  material.stencilRef = mark;
  material.stencilZPass = ReplaceStencilOp;
  return material;
}

/** A material that shows on marked pixels alone: irises behind lids, teeth behind lips. */
function within(mark: number): MeshBasicMaterial {
  const material = new MeshBasicMaterial({ depthTest: false, transparent: true });
  material.stencilWrite = true;
  material.stencilRef = mark;
  material.stencilFunc = EqualStencilFunc;
  return material;
}

function ear(side: number, material: MeshStandardMaterial): Mesh {
  const mesh = new Mesh(new SphereGeometry(1, 24, 16), material);
  mesh.position.set(74 * side, -2, -12);
  mesh.rotation.y = 0.35 * side; // they stand off
  mesh.scale.set(7, 27, 16);
  return mesh;
}

/** The upper teeth: an arch behind the lips of the canonical face, in shadow at its ends. */
function teethGeometry(): CylinderGeometry {
  const teeth = new CylinderGeometry(26, 24, 11, 32, 1, true, -1.5, 3);
  teeth.scale(1.12, 1, 1);
  const place = teeth.getAttribute('position');
  const colors = Array.from({ length: place.count }, (_, i) => {
    const light = Math.min(Math.max((place.getZ(i) - 6) / 16, 0), 1);
    return [0.04 + 0.86 * light, 0.01 + 0.84 * light, 0.01 + 0.8 * light];
  });
  teeth.setAttribute('color', new Float32BufferAttribute(colors.flat(), 3));
  return teeth.translate(0, -37, 20);
}

function texture(canvas: HTMLCanvasElement): CanvasTexture {
  const result = new CanvasTexture(canvas);
  result.colorSpace = SRGBColorSpace;
  result.anisotropy = 8;
  return result;
}
