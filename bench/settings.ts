/** How to measure: handed to every part. */
export interface Settings {
  /** Only to see that everything works: the numbers mean nothing. */
  readonly quick: boolean;
  readonly rounds: number;
  /** Where stores keep their files: a folder on a real disk. */
  readonly directory: string;
}

/** The size to measure with, or the one to try with. */
export function size(settings: Settings, full: number, quick: number): number {
  return settings.quick ? quick : full;
}
