// A puppet that does what a face does: the live mesh on a head, drawn by three.js.

import {
  AmbientLight,
  CircleGeometry,
  Color,
  DirectionalLight,
  DoubleSide,
  EqualStencilFunc,
  Group,
  LatheGeometry,
  LineBasicMaterial,
  LineSegments,
  Mesh,
  MeshBasicMaterial,
  MeshPhysicalMaterial,
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
import { irisTexture, paintedFace } from './puppet-paint';
import { HeadSurface } from './puppet-head';
import type { PuppetStyle } from './settings';

const FIELD = 24; // of view [degrees]
const DISTANCE = 760; // of the camera [mm]
const SWAY = 90; // how far the head moves with the face across the picture [mm]

const SKIN: Record<Exclude<PuppetStyle, 'off'>, { color: string; metal: number; rough: number; coat: number }> = {
  porcelain: { color: '#ffffff', metal: 0, rough: 0.38, coat: 0.55 },
  gold: { color: '#e2ac4d', metal: 1, rough: 0.24, coat: 0 },
  wire: { color: '#101216', metal: 0, rough: 1, coat: 0 },
};

/** The scene; it draws on a canvas of its own. */
export class Puppet {
  private readonly renderer: WebGLRenderer;
  private readonly scene = new Scene();
  private readonly camera = new PerspectiveCamera(FIELD, 1, 10, 3000);
  private readonly head = new Group();
  private readonly surface = new HeadSurface();
  private readonly skin = new MeshPhysicalMaterial();
  private readonly wires: LineSegments;
  private readonly irises: Mesh[];
  private readonly bust: Mesh;
  private readonly ears: Mesh[];
  private worn = '';

  constructor(onLost: () => void) {
    try {
      this.renderer = new WebGLRenderer({ alpha: true, antialias: true, stencil: true });
    } catch {
      throw new UserMessage('The puppet needs WebGL, which this browser does not have or has switched off.');
    }
    this.renderer.domElement.addEventListener('webglcontextlost', onLost);
    this.renderer.toneMapping = ACESFilmicToneMapping;
    this.renderer.toneMappingExposure = 1.05;
    const environment = new PMREMGenerator(this.renderer).fromScene(new RoomEnvironment(), 0.03);
    this.scene.environment = environment.texture;
    this.scene.environmentIntensity = 0.45;
    this.scene.add(new AmbientLight('#cfd6ff', 0.35), light('#fff1e0', 2.1, -300, 380, 520), light('#8fb4ff', 2.4, 420, 160, -360));
    this.scene.add(this.head);

    const { skin, eyes, mouth } = this.surface;
    const eyeMaterial = new MeshPhysicalMaterial({ color: '#f4f1ec', roughness: 0.18, clearcoat: 1, side: DoubleSide });
    Object.assign(eyeMaterial, { stencilWrite: true, stencilRef: 1, stencilZPass: ReplaceStencilOp });
    this.head.add(
      new Mesh(skin, this.skin),
      new Mesh(eyes, eyeMaterial),
      new Mesh(mouth, new MeshBasicMaterial({ color: '#2a0a10', side: DoubleSide })),
    );
    this.irises = FACE.eyes.map(() => iris());
    this.head.add(...this.irises);
    this.wires = new LineSegments(new WireframeGeometry(skin), new LineBasicMaterial({ color: '#8ff0d0', transparent: true, opacity: 0.75 }));
    this.head.add(this.wires);
    this.bust = new Mesh(new LatheGeometry(BUST.map(([x, y]) => new Vector2(x, y)), 48), this.skin);
    this.ears = [-1, 1].map((side) => ear(side, this.skin));
    this.head.add(this.bust, ...this.ears);
  }

  /** Puts on a style and the makeup. */
  dress(style: Exclude<PuppetStyle, 'off'>, products: readonly Product[]): void {
    const worn = JSON.stringify([style, products]);
    if (worn === this.worn) return;
    this.worn = worn;
    const { color, metal, rough, coat } = SKIN[style];
    this.skin.map?.dispose();
    this.skin.map = style === 'porcelain' ? texture(paintedFace(products)) : null;
    this.skin.color = new Color(color);
    Object.assign(this.skin, { metalness: metal, roughness: rough, clearcoat: coat, clearcoatRoughness: 0.3 });
    this.skin.polygonOffset = style === 'wire'; // so that the lines lie before the surface
    this.skin.polygonOffsetFactor = this.skin.polygonOffsetUnits = 1;
    this.skin.needsUpdate = true;
    this.wires.visible = style === 'wire';
    const tint = products.find(({ name }) => name === 'irisTint')?.color;
    const pattern = irisTexture(style === 'porcelain' ? (tint ?? '#5a7d6a') : style === 'gold' ? '#8a5a1c' : '#8ff0d0');
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
  draw(landmarks: Float32Array, picture: { width: number; height: number }, size: { width: number; height: number }): HTMLCanvasElement {
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
    this.head.position.set((SWAY * (x - picture.width / 2)) / side, 22 - (SWAY * (y - picture.height / 2)) / side, 0);
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
      for (const row of ring) radius += Math.hypot(at(row, 0) - at(centre, 0), at(row, 1) - at(centre, 1)) / 4;
      const mesh = this.irises[side]!;
      mesh.position.set(at(centre, 0), at(centre, 1), at(centre, 2) + 2);
      mesh.scale.setScalar(Math.max(radius, 1));
      const [x, y, z] = turn(pose.rotation, 0, 0, -1);
      mesh.lookAt(mesh.position.x + this.head.position.x + 0.6 * x, mesh.position.y + this.head.position.y - 0.6 * y, mesh.position.z - z);
    });
  }

  /** Ears turn with the head; the neck only follows. */
  private turnWithHead({ rotation }: Pose): void {
    const [x, y, z] = turn(rotation, 0, 0, 1);
    this.bust.position.set(40 * x, -40 * y, -35 * z);
    this.ears.forEach((mesh, i) => {
      const at = turn(rotation, i ? 74 : -74, 2, 12);
      mesh.position.set(at[0], -at[1], -at[2]);
      const m = rotation;
      mesh.matrixAutoUpdate = false;
      const tilt = i ? 0.35 : -0.35;
      const [c, s] = [Math.cos(tilt), Math.sin(tilt)];
      // The head's rotation in three's axes, after a turn that lets the ears stand off.
      const r = [m[0]!, -m[1]!, -m[2]!, -m[3]!, m[4]!, m[5]!, -m[6]!, m[7]!, m[8]!] as const;
      const e = mesh.scale;
      mesh.matrix.set(
        (r[0] * c - r[2] * s) * e.x, r[1] * e.y, (r[0] * s + r[2] * c) * e.z, at[0],
        (r[3] * c - r[5] * s) * e.x, r[4] * e.y, (r[3] * s + r[5] * c) * e.z, -at[1],
        (r[6] * c - r[8] * s) * e.x, r[7] * e.y, (r[6] * s + r[8] * c) * e.z, -at[2],
        0, 0, 0, 1,
      ); // prettier-ignore
      mesh.matrixWorldNeedsUpdate = true;
    });
  }
}

/** Radius and height of the neck and the shoulders [mm], from below. */
const BUST: readonly (readonly [number, number])[] = [
  [150, -235], [146, -222], [120, -205], [84, -190], [62, -172], [53, -150], [50, -120], [51, -85], [54, -50], [40, -30],
]; // prettier-ignore

function light(color: string, intensity: number, x: number, y: number, z: number): DirectionalLight {
  const lamp = new DirectionalLight(color, intensity);
  lamp.position.set(x, y, z);
  return lamp;
}

function iris(): Mesh {
  const material = new MeshBasicMaterial({ depthTest: false, transparent: true });
  Object.assign(material, { stencilWrite: true, stencilRef: 1, stencilFunc: EqualStencilFunc });
  const mesh = new Mesh(new CircleGeometry(1, 40), material);
  mesh.renderOrder = 1;
  return mesh;
}

function ear(side: number, material: MeshPhysicalMaterial): Mesh {
  const mesh = new Mesh(new SphereGeometry(1, 24, 16), material);
  mesh.scale.set(7, 27, 16);
  mesh.name = side < 0 ? 'right ear' : 'left ear';
  return mesh;
}

function texture(canvas: HTMLCanvasElement): CanvasTexture {
  const result = new CanvasTexture(canvas);
  result.colorSpace = SRGBColorSpace;
  result.anisotropy = 8;
  return result;
}

