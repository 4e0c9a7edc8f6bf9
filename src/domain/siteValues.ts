import { Result, Schema } from "effect"
import { parseAllowedDomain } from "./allowedDomain.ts"
import { SiteId } from "./ids.ts"
import { RateLimit, WeekStart } from "./Site.ts"

/** One value that can't be accepted: `field` is a key of the input (`domains/2` for an item), `message` a whole sentence. */
export const FieldIssue = Schema.Struct({ field: Schema.String, message: Schema.String })
export type FieldIssue = typeof FieldIssue.Type

/** Longest site name in characters: the column's size. */
export const MAX_NAME_LENGTH = 100
/** Most domains of one site: more is a list that belongs into a wildcard. */
export const MAX_DOMAINS = 200

/** Values for a site as someone gave them; an absent key is not judged. */
export interface SiteValues {
  readonly id?: string
  readonly name?: string
  readonly domains?: ReadonlyArray<string>
  readonly rateLimit?: { readonly eventsPerSecond: number; readonly burst: number } | null
  readonly timezone?: string
  readonly weekStart?: string
  readonly currency?: string
}

/** The same values, every one acceptable and in its normal form. */
export interface AcceptedSiteValues {
  readonly id?: SiteId
  readonly name?: string
  readonly domains?: ReadonlyArray<string>
  readonly rateLimit?: RateLimit | null
  readonly timezone?: string
  readonly weekStart?: WeekStart
  readonly currency?: string
}

const isTimezone = (zone: string): boolean => {
  // Offsets such as `+02:00` pass Intl but have no place in the IANA database that Postgres reads.
  if (!/^[A-Za-z]/.test(zone)) return false
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone })
    return true
  } catch {
    return false
  }
}

/** The normal forms of all given values, or every reason against them at once. */
export const acceptSiteValues = (given: SiteValues): Result.Result<AcceptedSiteValues, ReadonlyArray<FieldIssue>> => {
  const issues: Array<FieldIssue> = []
  const accepted: { -readonly [K in keyof AcceptedSiteValues]: AcceptedSiteValues[K] } = {}
  const refuse = (field: string, message: string) => issues.push({ field, message })

  if (given.id !== undefined) {
    const id = Schema.decodeUnknownResult(SiteId)(given.id.trim().toLowerCase())
    if (Result.isSuccess(id)) accepted.id = id.success
    else refuse("id", "The id must be a UUID such as `3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f`.")
  }
  if (given.name !== undefined) {
    const name = given.name.trim()
    if (name === "") refuse("name", "The name must not be blank.")
    else if (name.length > MAX_NAME_LENGTH) refuse("name", `The name must have at most ${MAX_NAME_LENGTH} characters.`)
    else if (/\p{Cc}/u.test(name)) refuse("name", "The name must not hold control characters.")
    else accepted.name = name
  }
  if (given.domains !== undefined) {
    const domains = new Set<string>()
    given.domains.forEach((text, index) => {
      const domain = parseAllowedDomain(text)
      if (Result.isSuccess(domain)) domains.add(domain.success)
      else refuse(`domains/${index}`, domain.failure)
    })
    if (domains.size > MAX_DOMAINS) refuse("domains", `A site may name at most ${MAX_DOMAINS} domains.`)
    accepted.domains = [...domains]
  }
  if (given.rateLimit !== undefined) {
    const rateLimit = Schema.decodeUnknownResult(Schema.NullOr(RateLimit))(given.rateLimit)
    if (Result.isSuccess(rateLimit)) accepted.rateLimit = rateLimit.success
    else
      refuse(
        "rateLimit",
        "The rate limit must be a number of events per second above 0 with a whole burst of at least 1."
      )
  }
  if (given.timezone !== undefined) {
    const timezone = given.timezone.trim()
    if (isTimezone(timezone)) accepted.timezone = timezone
    else
      refuse(
        "timezone",
        `${JSON.stringify(timezone.slice(0, 100))} is no IANA time zone such as \`Europe/Berlin\` or \`UTC\`.`
      )
  }
  if (given.weekStart !== undefined) {
    const weekStart = Schema.decodeUnknownResult(WeekStart)(given.weekStart.trim().toLowerCase())
    if (Result.isSuccess(weekStart)) accepted.weekStart = weekStart.success
    else refuse("weekStart", "The week starts on `monday` or `sunday`.")
  }
  if (given.currency !== undefined) {
    const currency = given.currency.trim().toUpperCase()
    if (/^[A-Z]{3}$/.test(currency)) accepted.currency = currency
    else refuse("currency", "The currency must be an ISO 4217 code of three letters such as `EUR`.")
  }
  return issues.length === 0 ? Result.succeed(accepted) : Result.fail(issues)
}
