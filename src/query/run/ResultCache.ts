import type { QueryResult, QueryValue } from "../../ports/QueryEngine.ts"
import type { QuestionResult } from "../answer.ts"

/** What an engine's statements returned, and which data that was computed from. */
export interface CachedResult extends QuestionResult {
  readonly asOf: string
  readonly version: string
  /** In ms since 1970. */
  readonly at: number
}

/** A value and its place in an array, roughly. */
const VALUE_BYTES = 16

const bytesOf = (value: QueryValue): number => {
  if (typeof value === "string") return VALUE_BYTES + 2 * value.length
  return typeof value === "object" && value !== null ? 2 * JSON.stringify(value).length : VALUE_BYTES
}

const sizeOf = (rows: QueryResult["rows"]): number => {
  let bytes = 0
  for (const row of rows) for (const value of row) bytes += bytesOf(value)
  return bytes
}

/** A larger share of the cache would leave too little for other answers. */
const LARGEST_SHARE = 1 / 8

/** Results by statement. When they need more memory than allowed, those not used for the longest time go first. */
export class ResultCache {
  readonly #maxBytes: number
  readonly #maxAgeMs: number
  /** The least recently used first. */
  readonly #entries = new Map<string, { readonly result: CachedResult; readonly bytes: number }>()
  #bytes = 0

  constructor(maxBytes: number, maxAgeMs: number) {
    this.#maxBytes = maxBytes
    this.#maxAgeMs = maxAgeMs
  }

  /** Whether there is a result, however old. */
  has(key: string): boolean {
    return this.#entries.has(key)
  }

  /** A result of the same data, or one that is not too old. */
  get(key: string, version: string, now: number): CachedResult | null {
    const entry = this.#entries.get(key)
    if (entry === undefined) return null
    if (entry.result.version !== version && now - entry.result.at > this.#maxAgeMs) {
      this.#remove(key)
      return null
    }
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry.result
  }

  set(key: string, result: CachedResult): void {
    this.#remove(key)
    const bytes = sizeOf(result.rows) + 2 * key.length
    if (bytes > this.#maxBytes * LARGEST_SHARE) return
    this.#entries.set(key, { result, bytes })
    this.#bytes += bytes
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) return
      this.#remove(oldest)
    }
  }

  /** Forgets everything, such as after rows were deleted. */
  clear(): void {
    this.#entries.clear()
    this.#bytes = 0
  }

  #remove(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0
    this.#entries.delete(key)
  }
}
