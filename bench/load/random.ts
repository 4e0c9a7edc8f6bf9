/** A seeded generator (mulberry32), so that every run sends the same mix. */
export const seeded = (seed: number) => {
  let state = seed >>> 0
  /** From 0 up to, but not including, 1. */
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    next,
    below,
    pick: <A>(from: ReadonlyArray<A>): A => from[below(from.length)]!,
    chance: (part: number): boolean => next() < part
  }
}
export type Random = ReturnType<typeof seeded>
