/** A field of a JSON value that may be of any shape. */
export const fieldOf = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Readonly<Record<string, unknown>>)[key]
    : undefined

/** The site that a body names, registered or not, in lower case. */
export const siteOf = (body: unknown): string | null => {
  const website = fieldOf(fieldOf(body, "payload"), "website")
  return typeof website === "string" ? website.toLowerCase() : null
}
