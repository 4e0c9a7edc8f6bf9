/** How far the rebuild of a replica is. */
export interface RebuildProgress {
  /** Events loaded so far. */
  readonly rows: number
  /** Their number, as Postgres estimates it. */
  readonly total: number
  /** Once all are loaded: those of them whose visits are known. */
  readonly linked: number | null
}

/** As in `5000 of about 10000 events`. */
export const describeProgress = (
  { linked, rows, total }: RebuildProgress,
  number: (value: number) => string = String
): string =>
  linked === null
    ? `${number(rows)} of about ${number(total)} events`
    : `all ${number(rows)} events, and the visits of ${number(linked)} of them`
