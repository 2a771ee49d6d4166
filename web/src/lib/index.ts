export { Blendshapes } from './blendshapes';
export type { Problem } from './errors';
export { AmeshError } from './errors';
export type { Face, RuntimeChoice, Timings, TrackerOptions } from './face-tracker';
export { FaceTracker } from './face-tracker';
export type { Progress } from './models';
export type { Smoothing } from './one-euro';
export type { Region } from './region';
export { CONTOURS, IRISES, TRIANGLES } from './topology';
