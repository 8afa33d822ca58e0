/** What a number counts, and so how it is written. */
export type Unit =
  | 'ratio'
  | 'per second'
  | 'count'
  | 'ms'
  | 'microseconds'
  | 'bytes'
  | 'mebibytes'
  | 'bytes a job';

/** A measured value: the median of its samples, which stay with it. */
export interface Figure {
  readonly value: number;
  readonly unit: Unit;
  /** One a round. */
  readonly samples: readonly number[];
}

export interface Table {
  readonly title: string;
  /** What a reader must know to take a number for what it is. */
  readonly note?: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | Figure)[])[];
}

/** A number that the project set itself. */
export interface Goal {
  readonly what: string;
  readonly least?: number;
  readonly most?: number;
  readonly measured: Figure;
}

/** All that one part of the benchmark found out. */
export interface PartResult {
  readonly part: string;
  /** Under which conditions: settings of the server, sizes, durations. */
  readonly conditions: readonly string[];
  readonly tables: readonly Table[];
  readonly goals: readonly Goal[];
}

/** The median of `samples`, with all of them kept. */
export function figure(unit: Unit, samples: readonly number[]): Figure {
  return { value: median(samples), unit, samples };
}

/** Each sample of `of` against the sample of the same round of `against`: noise of a round hits both. */
export function ratios(of: readonly number[], against: readonly number[]): Figure {
  return figure(
    'ratio',
    of.map((sample, round) => sample / (against[round] as number)),
  );
}

export function isMet({ least, most, measured }: Goal): boolean {
  return measured.value >= (least ?? -Infinity) && measured.value <= (most ?? Infinity);
}

/** NaN of no samples: a gap in a table is seen, a zero is believed. */
export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle] as number;
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}
