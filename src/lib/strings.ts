/**
 * The string as a column accepts it: at most `limit` UTF-16 units (JavaScript's `substring`, as in Umami), without NUL, which Postgres
 * rejects, and without lone surrogates, which are not UTF-8.
 */
export const cut = (value: string, limit: number): string => {
  const short = value.length > limit ? value.substring(0, endOf(value, limit)) : value
  if (short.isWellFormed() && !short.includes("\u0000")) return short
  return short.replaceAll("\u0000", "").toWellFormed()
}

/** Where to cut, never between the halves of a surrogate pair. */
const endOf = (value: string, limit: number): number => {
  const last = value.charCodeAt(limit - 1)
  return last >= 0xd800 && last <= 0xdbff ? limit - 1 : limit
}

/** Like `cut`; null if the string is absent or empty. */
export const cutOrNull = (value: string | null | undefined, limit: number): string | null =>
  value === null || value === undefined || value === "" ? null : cut(value, limit)

/** Umami's `safeDecodeURI`: the decoded string, or the string itself if it is malformed. */
export const decodeUriOrKeep = (value: string): string => {
  if (!value.includes("%")) return value
  try {
    return decodeURI(value)
  } catch {
    return value
  }
}

/** Umami's `safeDecodeURIComponent`. */
export const decodeComponentOrKeep = (value: string): string => {
  if (!value.includes("%")) return value
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
