import { FqlError } from "../fql/FqlError.ts"

const MAX_LENGTH = 200
/** As long as the longest text that is stored. Postgres refuses a pattern of 25,000 `*`. */
const MAX_WILDCARD_LENGTH = 500
/** The most repetitions that every engine accepts. */
const MAX_REPEAT = 255

/** The most parts that repetitions within repetitions amount to. RE2 accepts `(x{9}){9}` up to a product of 1,000. */
const MAX_SIZE = 1_000
const PART = /\\.|\[(?:\\.|[^\]\\])*\]|\((?:\?:)?|\{(?<least>\d+)(?:,(?<most>\d*))?\}|./gs

/** The number of parts of a valid pattern when everything that is counted in braces is written out. */
const sizeOf = (pattern: string): number => {
  const outer: Array<number> = []
  let size = 0
  let last = 0
  for (const { 0: part, groups } of pattern.matchAll(PART)) {
    if (part.startsWith("(")) {
      outer.push(size)
      size = 0
    } else if (part === ")") {
      last = Math.max(1, size)
      size = (outer.pop() ?? 0) + last
    } else if (groups?.["least"] !== undefined) {
      const repeated = last * Math.max(1, Number(groups["most"] || groups["least"]))
      size += repeated - last
      last = repeated
    } else if (!"*+?".includes(part)) {
      last = 1
      size++
    }
  }
  return size
}

/** What engines read differently, or can only answer by trying every way: look-around, back-references, named groups, other escapes. */
const FORBIDDEN = /\\(?![dDwWsS.^$|?*+()[\]{}\\/&=:#%~_-])|\(\?(?!:)|\[\[|\[:|[*+?}]\+/

/** An escape, or a class of characters in brackets. */
const ESCAPE_OR_CLASS = /\\(?<escape>.)|\[(?:\\.|[^\]\\])*\]/gs

/** In brackets: a range that begins or ends with a class such as `\d`, which JavaScript reads as three parts. */
const RANGE_OF_CLASS = /\\[dDwWsS]-(?!\])|(?<!^\[\^?)-\\[dDwWsS]/

/** The characters of each class as RE2 reads it. Postgres counts letters and spaces of all scripts. */
const CLASSES: Readonly<Record<string, string>> = { d: "0-9", w: "0-9A-Za-z_", s: " \\t\\n\\r\\f" }

/** The pattern with its classes written out. Brackets cannot hold the opposite of a class. */
const withClassesWrittenOut = (pattern: string): string =>
  pattern.replaceAll(ESCAPE_OR_CLASS, (part, name: string | undefined) => {
    if (name === undefined) {
      return part.replaceAll(/\\(.)/gs, (inner, letter: string) => CLASSES[letter] ?? inner)
    }
    const characters = CLASSES[name.toLowerCase()]
    if (characters === undefined) return part
    return name === name.toLowerCase() ? `[${characters}]` : `[^${characters}]`
  })

/** A regular expression that every engine reads the same way, in linear time. */
export const checkPattern = (pattern: string, pointer: string): string => {
  const refuse = (why: string) => new FqlError("bad-ast", pointer, `This pattern can't be used: ${why}.`)
  if (pattern === "") throw refuse("it is empty")
  if (pattern.length > MAX_LENGTH)
    throw refuse(`it has ${pattern.length} characters, and at most ${MAX_LENGTH} are accepted`)
  if (FORBIDDEN.test(pattern)) {
    throw refuse(
      "look-around, back-references, named groups, POSIX classes and escapes other than \\d \\w \\s are not supported"
    )
  }
  for (const [part] of pattern.matchAll(ESCAPE_OR_CLASS)) {
    if (part === "[]" || part === "[^]") throw refuse("the brackets are empty; write a literal one as `\\]`")
    if (part.startsWith("[") && RANGE_OF_CLASS.test(part))
      throw refuse("a range in brackets is between two characters; write a literal dash as `\\-`")
  }
  for (const [, least, most] of pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)) {
    if (Number(least) > MAX_REPEAT || Number(most || 0) > MAX_REPEAT) throw refuse(`repeat at most ${MAX_REPEAT} times`)
  }
  if (
    /\{(?!\d+(?:,\d*)?\})/.test(pattern.replaceAll(/\\./g, "")) ||
    /(?<!\{\d+(?:,\d*)?)\}/.test(pattern.replaceAll(/\\./g, ""))
  ) {
    throw refuse("write a literal brace as `\\{`")
  }
  try {
    new RegExp(pattern)
  } catch {
    throw refuse("it is not a regular expression")
  }
  const size = sizeOf(pattern)
  if (size > MAX_SIZE) {
    throw refuse(`written out, its repetitions have ${size} parts, and at most ${MAX_SIZE} are accepted`)
  }
  return withClassesWrittenOut(pattern)
}

/**
 * A pattern that DuckDB reads as one. Without a group, DuckDB makes LIKE of text and `.*`. That ignores `^` and `$`
 * in the middle, and tries every way: the steps for a text are its length to the power of the number of `.*`, and nothing interrupts it.
 */
export const inGroup = (pattern: string): string => `(${pattern})`

/** A path with `*` for any text without a slash and `**` for any text, as a regular expression. */
export const wildcardPattern = (glob: string, pointer: string): string => {
  if (glob.length > MAX_WILDCARD_LENGTH) {
    throw new FqlError(
      "limit-exceeded",
      pointer,
      `This text has ${glob.length} characters; at most ${MAX_WILDCARD_LENGTH} are accepted.`
    )
  }
  const parts = glob.split(/(\*+)/)
  const pattern = `^${parts
    .map((part) =>
      part === "*" ? "[^/]*" : part.startsWith("**") ? ".*" : part.replaceAll(/[\\^$.|?+()[\]{}]/g, "\\$&")
    )
    .join("")}$`
  // LIKE is fastest, and one `**` is one way to try.
  return parts.filter((part) => part.startsWith("**")).length > 1 ? inGroup(pattern) : pattern
}
