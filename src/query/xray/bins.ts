/** A histogram has at most this many bins, and at least 8 if its values are not whole numbers close to one another. */
const MAX_BINS = 20
const NICE = [1, 2, 2.5, 5] as const

/** How many bins of this width the values touch. */
export const binsOf = ({ max, min }: { readonly min: number; readonly max: number }, width: number): number =>
  Math.floor(max / width) - Math.floor(min / width) + 1

/** A round width of bins; null if all values are the same. */
export const niceWidth = (values: {
  readonly min: number
  readonly max: number
  readonly isWhole: boolean
}): number | null => {
  const span = values.max - values.min
  if (!(span > 0) || !Number.isFinite(span)) return null
  const start = Math.floor(Math.log10(span / MAX_BINS))
  for (let power = start; power <= start + 3; power++) {
    for (const factor of NICE) {
      // Through its decimal form, so that 3 tenths are 0.3.
      const width = Number(`${factor}e${power}`)
      const isUsable = !values.isWhole || Number.isInteger(width)
      if (isUsable && binsOf(values, width) <= MAX_BINS) return width
    }
  }
  return null
}
