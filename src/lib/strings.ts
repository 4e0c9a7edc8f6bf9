/**
 * The text as a column takes it: at most `limit` UTF-16 units (JavaScript's `substring`, as in Umami), without NUL, which
 * Postgres refuses, and without lone surrogates, which are not UTF-8.
 */
export const cut = (text: string, limit: number): string => {
  const short = text.length > limit ? text.substring(0, endOf(text, limit)) : text
  if (short.isWellFormed() && !short.includes("\u0000")) return short
  return short.replaceAll("\u0000", "").toWellFormed()
}

/** Never between the two halves of a surrogate pair. */
const endOf = (text: string, limit: number): number => {
  const last = text.charCodeAt(limit - 1)
  return last >= 0xd800 && last <= 0xdbff ? limit - 1 : limit
}

/** Like `cut`; an absent or empty text is null. */
export const cutOrNull = (text: string | null | undefined, limit: number): string | null =>
  text === null || text === undefined || text === "" ? null : cut(text, limit)

/** Umami's `safeDecodeURI`: decoded when it can be, else as it was. */
export const decodeUriOrKeep = (text: string): string => {
  if (!text.includes("%")) return text
  try {
    return decodeURI(text)
  } catch {
    return text
  }
}

/** Umami's `safeDecodeURIComponent`. */
export const decodeComponentOrKeep = (text: string): string => {
  if (!text.includes("%")) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
