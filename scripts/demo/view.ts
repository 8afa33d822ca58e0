import type { Snapshot } from './meter.js';

/** What the spectator sees while the demo runs. */
export interface View {
  start(): void;
  /** A new phase began. */
  phase(title: string): void;
  /** Something happened. */
  event(elapsedMs: number, text: string): void;
  /** Called about eight times a second. */
  draw(snapshot: Snapshot): void;
  /** Gives the terminal back as it was; may be called again. */
  stop(): void;
}

/** Whether the terminal can, and wants to, be drawn on. */
export function isLive(output: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  return output.isTTY === true && !env.NO_COLOR && !env.CI && env.TERM !== 'dumb';
}
