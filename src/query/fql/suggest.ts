/** Names further away than this share of their length are not meant. */
const MAX_DISTANCE_SHARE = 0.4

/** Edits from one string to another: insertions, deletions, replacements and swaps of neighbors (optimal string alignment). */
const distance = (a: string, b: string): number => {
  let before: Array<number> = []
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1]
      row[j] = Math.min(row[j - 1]! + 1, previous[j]! + 1, previous[j - 1]! + (isSame ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j]!, before[j - 2]! + 1)
    }
    before = previous
    previous = row
  }
  return previous[b.length]!
}

/** A longer name is not a typing error, and comparing it would take long. */
const MAX_LENGTH = 100

/** The known name that is probably meant; null if none is close. */
export const nearest = (given: string, known: Iterable<string>): string | null => {
  if (given.length > MAX_LENGTH) return null
  const lower = given.toLowerCase()
  let best: string | null = null
  let least = Math.max(1, Math.floor(given.length * MAX_DISTANCE_SHARE)) + 1
  for (const name of known) {
    const edits = distance(lower, name.toLowerCase())
    if (edits < least) {
      best = name
      least = edits
    }
  }
  return best
}

/** ` Did you mean \`name\`?` about what is probably meant; nothing if that is not known. */
export const suggestion = (meant: string | number | boolean | null): string =>
  meant === null ? "" : ` Did you mean \`${meant}\`?`

/** The same about the nearest of the known names. */
export const didYouMean = (given: string, known: Iterable<string>): string => suggestion(nearest(given, known))
