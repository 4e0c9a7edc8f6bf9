/** What a load generator process is asked for: one argument, as JSON. */
export interface LoadConfig {
  readonly hostname: string
  readonly port: number
  readonly path: string
  readonly website: string
  readonly connections: number
  readonly warmUpSeconds: number
  /** Measured time; ignored when `requests` is given. */
  readonly seconds: number
  /** Measured requests, in place of a measured time; null: none. */
  readonly requests: number | null
  /** Requests a second at fixed intended times (open loop); null: each connection sends when its last request was answered. */
  readonly ratePerSecond: number | null
  /** Items of one `/api/batch` body; null: single events. */
  readonly batchItems: number | null
}

/** What it prints at the end, as JSON in one line, after a line `measuring` when the warm-up is over. */
export interface LoadResult {
  /** Length of the measurement. */
  readonly seconds: number
  /** Answers in the measurement, by status. */
  readonly statuses: Readonly<Record<string, number>>
  /** Requests whose connection closed before the answer. */
  readonly lost: number
  /** Answers with 200 a second. */
  readonly okPerSecond: number
  /** From the intended sending to the whole answer, in ms; with a fixed rate, waiting for a free connection counts. */
  readonly latency: { readonly p50: number; readonly p99: number; readonly p999: number; readonly max: number }
  /** Most requests that were due and waited for a connection; 0 without a fixed rate. */
  readonly mostWaiting: number
  /** CPU of the generator itself in the measurement, in cores. */
  readonly ownCpu: number
}

/** Line that says that the measurement begins. */
export const MEASURING = "measuring"
