/** Whether Postgres can store a string: it accepts neither NUL nor half of a surrogate pair. */
const isStorableString = (text: string): boolean => !text.includes("\0") && text.isWellFormed()

/** Whether Postgres can store a JSON value: every string and key in it. */
export const isStorable = (json: unknown): boolean => {
  if (typeof json === "string") return isStorableString(json)
  if (typeof json !== "object" || json === null) return true
  return Object.entries(json).every(([key, value]) => isStorableString(key) && isStorable(value))
}
