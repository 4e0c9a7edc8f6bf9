/** Limits the sum of a measure over the items of a group. */
export interface Limit<A> {
  readonly max: number
  readonly measure: (item: A) => number
}

/** Divides items into groups within the limits, in order. An item that exceeds a limit by itself becomes its own group. */
export const pack = <A>(items: ReadonlyArray<A>, limits: ReadonlyArray<Limit<A>>): ReadonlyArray<ReadonlyArray<A>> => {
  const groups: Array<Array<A>> = []
  let sums: ReadonlyArray<number> = []
  for (const item of items) {
    const sizes = limits.map(({ measure }) => measure(item))
    const grown = sizes.map((size, index) => size + (sums[index] ?? 0))
    if (groups.length === 0 || limits.some(({ max }, index) => grown[index]! > max)) {
      groups.push([item])
      sums = sizes
    } else {
      groups.at(-1)!.push(item)
      sums = grown
    }
  }
  return groups
}
