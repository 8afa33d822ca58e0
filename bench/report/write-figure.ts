import type { Figure, Unit } from './result.js';

const units: Readonly<Record<Unit, (value: number) => string>> = {
  ratio: (value) => `${value.toFixed(2)}×`,
  'per second': (value) => grouped(threeDigits(value)),
  count: (value) => grouped(Math.round(value)),
  ms: (value) => `${value < 10 ? value.toFixed(1) : grouped(Math.round(value))} ms`,
  microseconds: (value) => `${value < 10 ? value.toFixed(2) : value.toFixed(1)} µs`,
  bytes: (value) => `${grouped(Math.round(value))} B`,
  mebibytes: (value) => `${value.toFixed(0)} MiB`,
  'bytes a job': (value) => `${value.toFixed(2)} B`,
};

/** The median in its unit; a ratio also with the lowest and the highest round. */
export function writeFigure({ value, unit, samples }: Figure): string {
  if (!Number.isFinite(value)) return '–';
  const text = units[unit](value);
  if (unit !== 'ratio' || samples.length < 2) return text;
  return `${text} (${Math.min(...samples).toFixed(2)}–${Math.max(...samples).toFixed(2)})`;
}

/** A whole number with its thousands apart. */
export const grouped = (value: number) => value.toLocaleString('en-US');

/** A rate's further digits are noise. */
const threeDigits = (value: number) => Number(value.toPrecision(3));
