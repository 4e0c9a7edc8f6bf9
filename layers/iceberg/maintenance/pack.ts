/** The most that things of one run may sum up to. */
export interface Limit<A> {
  readonly most: number
  readonly of: (item: A) => number
}

/** Divides things into runs within the limits, in their order. One that is over a limit by itself is a run of its own. */
export const pack = <A>(items: ReadonlyArray<A>, limits: ReadonlyArray<Limit<A>>): ReadonlyArray<ReadonlyArray<A>> => {
  const runs: Array<Array<A>> = []
  let sums: ReadonlyArray<number> = []
  for (const item of items) {
    const sizes = limits.map(({ of }) => of(item))
    const grown = sizes.map((size, index) => size + (sums[index] ?? 0))
    if (runs.length === 0 || limits.some(({ most }, index) => grown[index]! > most)) {
      runs.push([item])
      sums = sizes
    } else {
      runs.at(-1)!.push(item)
      sums = grown
    }
  }
  return runs
}
