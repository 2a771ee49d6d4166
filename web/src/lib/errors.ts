/** What went wrong, for code that decides; the message is one line for the user. */
export type Problem = 'model' | 'network' | 'runtime' | 'device-lost' | 'picture' | 'option';

/** A mistake or a lack that a user can do something about. */
export class AmeshError extends Error {
  override readonly name = 'AmeshError';

  constructor(
    readonly code: Problem,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The first line of whatever was thrown. */
export function reason(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return text.split('\n', 1)[0] || 'unknown reason';
}
