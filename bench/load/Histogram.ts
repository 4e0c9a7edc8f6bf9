/** Each value below this many microseconds has its own bucket. */
const EXACT = 128
/** Buckets for each further power of two: a quantile is at most 1/64 too high. */
const PER_DOUBLING = 64
/** Larger values count as this one: 35 minutes. */
const MOST_US = 2 ** 31 - 1

/** A histogram of latencies in microseconds with a bounded relative error, like HdrHistogram. */
export class Histogram {
  readonly #counts = new Float64Array(EXACT + (31 - 7) * PER_DOUBLING)
  #total = 0
  #max = 0

  record(microseconds: number): void {
    const value = Math.min(MOST_US, Math.max(0, Math.round(microseconds)))
    if (value > this.#max) this.#max = value
    this.#total++
    if (value < EXACT) this.#counts[value]!++
    else {
      const exponent = 31 - Math.clz32(value)
      this.#counts[EXACT + (exponent - 7) * PER_DOUBLING + ((value >> (exponent - 6)) & (PER_DOUBLING - 1))]!++
    }
  }

  get count(): number {
    return this.#total
  }

  get max(): number {
    return this.#max
  }

  /** The smallest recorded value, up to the bucket's width, that at least `part` (0 to 1) of all values do not exceed; 0 without values. */
  quantile(part: number): number {
    const rank = Math.max(1, Math.ceil(part * this.#total))
    let seen = 0
    for (let i = 0; i < this.#counts.length; i++) {
      seen += this.#counts[i]!
      if (seen >= rank) return Math.min(this.#max, upperEdge(i))
    }
    return this.#max
  }
}

const upperEdge = (bucket: number): number => {
  if (bucket < EXACT) return bucket
  const exponent = 7 + Math.floor((bucket - EXACT) / PER_DOUBLING)
  const position = (bucket - EXACT) % PER_DOUBLING
  return (PER_DOUBLING + position + 1) * 2 ** (exponent - 6) - 1
}
