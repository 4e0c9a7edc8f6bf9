/** The bits of a hash that a JavaScript number holds exactly. */
const BITS = 53

/**
 * The id of a table or field by its name, the same in every process. Among a million fields, two have the same id with a probability of 1
 * in 18,000.
 */
export const fieldIdOf = (name: string): number => {
  const digest = new Bun.CryptoHasher("sha256").update(name).digest("hex")
  return Number(BigInt.asUintN(BITS, BigInt(`0x${digest.slice(0, 16)}`)))
}

/** What identifies a property of a site's events, or an attribute of its visitors. */
export interface PropertyKey {
  readonly siteId: string
  readonly owner: "event" | "visitor"
  readonly event: string
  readonly key: string
}

/** What the id of a property's field is computed from. */
export const propertyFieldName = ({ event, key, owner, siteId }: PropertyKey): string =>
  JSON.stringify([siteId.toLowerCase(), owner, event, key])

export const propertyFieldId = (property: PropertyKey): number => fieldIdOf(propertyFieldName(property))
