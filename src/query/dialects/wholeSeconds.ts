import type { QueryDialect } from "../../ports/QueryEngine.ts"

/** Microseconds since 1970 in Trino. A double has that many digits for every time that events can have; `date_diff` truncates to milliseconds. */
export const trinoMicros = (time: string): string => `CAST(round(to_unixtime(${time}) * 1000000) AS bigint)`

/** Whole seconds between two timestamps, rounded down; exact to the microsecond. */
export const WHOLE_SECONDS: Readonly<Record<QueryDialect, (first: string, last: string) => string>> = {
  postgres: (first, last) => `CAST(floor(extract(epoch FROM ${last} - ${first})) AS bigint)`,
  trino: (first, last) => `((${trinoMicros(last)} - ${trinoMicros(first)}) / 1000000)`,
  duckdb: (first, last) => `((epoch_us(${last}) - epoch_us(${first})) // 1000000)`
}
