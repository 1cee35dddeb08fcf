// What a moving plot shows: the last minute of some values, oldest first, with time as
// seconds before the newest. A ring of fixed size; it draws nothing.

/** Milliseconds that a plot looks back. */
export const WINDOW_MS = 60_000;

export class Series {
  private readonly at: number[] = [];
  private readonly rows: (number | null)[][] = [];
  private readonly listeners = new Set<() => void>();
  readonly names: readonly string[];

  constructor(names: readonly string[]) {
    this.names = names;
  }

  /** Adds values measured at `at_ms`. A clock that went back begins anew: another stream. */
  push(at_ms: number, values: readonly (number | null | undefined)[]): void {
    const newest = this.at.at(-1);
    if (newest !== undefined && at_ms === newest) return;
    if (newest !== undefined && at_ms < newest) {
      this.at.length = 0;
      this.rows.length = 0;
    }
    this.at.push(at_ms);
    this.rows.push(this.names.map((_, index) => values[index] ?? null));
    while (at_ms - (this.at[0] ?? at_ms) > WINDOW_MS) {
      this.at.shift();
      this.rows.shift();
    }
    for (const listener of this.listeners) listener();
  }

  /** Columns as uPlot takes them: seconds before now, then each value. With `stacked` each
   *  is the sum of itself and those before it. */
  columns(stacked = false): [number[], ...(number | null)[][]] {
    const newest = this.at.at(-1) ?? 0;
    const values = this.names.map((_, index) =>
      this.rows.map((row) => (stacked ? sum(row.slice(0, index + 1)) : (row[index] ?? null))),
    );
    return [this.at.map((at) => (at - newest) / 1000), ...values];
  }

  newest(): readonly (number | null)[] {
    return this.rows.at(-1) ?? this.names.map(() => null);
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

function sum(values: readonly (number | null)[]): number | null {
  if (values.every((value) => value === null)) return null;
  return values.reduce<number>((total, value) => total + (value ?? 0), 0);
}
