const DAY_MICROS = 86_400_000_000n
const DAY_MS = 86_400_000

/** Microseconds since 1970 as `2026-03-28T22:50:00.123456`, without a time zone. Null outside the range of JavaScript's dates. */
export const isoMicros = (micros: bigint): string | null => {
  const days = micros / DAY_MICROS - (micros % DAY_MICROS < 0n ? 1n : 0n)
  const rest = micros - days * DAY_MICROS
  const date = new Date(Number(days) * DAY_MS + Number(rest / 1_000n))
  if (Number.isNaN(date.getTime())) return null
  return `${date.toISOString().slice(0, -1)}${String(rest % 1_000n).padStart(3, "0")}`
}
