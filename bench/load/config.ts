/** What a load generator process should do: its only argument, as JSON. */
export interface LoadConfig {
  readonly hostname: string
  readonly port: number
  readonly path: string
  readonly website: string
  readonly connections: number
  readonly warmUpSeconds: number
  /** Measured time; ignored if `requests` is set. */
  readonly seconds: number
  /** Number of measured requests, instead of a measured time; null for none. */
  readonly requests: number | null
  /** Requests per second at fixed intended times (open loop); null: each connection sends as soon as its last request is answered. */
  readonly ratePerSecond: number | null
  /** Items per `/api/batch` body; null for single events. */
  readonly batchItems: number | null
}

/** Printed at the end, as one line of JSON, after a line `measuring` once the warm-up is over. */
export interface LoadResult {
  /** Length of the measurement. */
  readonly seconds: number
  /** Responses during the measurement, by status. */
  readonly statuses: Readonly<Record<string, number>>
  /** Requests whose connection closed before the response. */
  readonly lost: number
  /** Responses with 200 per second. */
  readonly okPerSecond: number
  /** From the intended time of sending to the complete response, in ms. With a fixed rate this includes waiting for a free connection. */
  readonly latency: { readonly p50: number; readonly p99: number; readonly p999: number; readonly max: number }
  /** Maximum number of requests that were due and waited for a connection; 0 without a fixed rate. */
  readonly mostWaiting: number
  /** CPU that the generator itself used during the measurement, in cores. */
  readonly ownCpu: number
}

/** The line that announces the measurement. */
export const MEASURING = "measuring"
