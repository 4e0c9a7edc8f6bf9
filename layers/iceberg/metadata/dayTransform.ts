const DAY_MS = 86_400_000

/** Iceberg's `day` transform of a time in ms since the epoch: days since the epoch, negative before it. */
export const dayOf = (ms: number): number => Math.floor(ms / DAY_MS)
