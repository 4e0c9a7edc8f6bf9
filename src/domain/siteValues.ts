import { Result, Schema } from "effect"
import { parseAllowedDomain } from "./allowedDomain.ts"
import { SiteId } from "./ids.ts"
import { RateLimit, type Site, WeekStart } from "./Site.ts"

/** Why a value was rejected. `field` is a key of the input (`domains/2` for an item), `message` a whole sentence. */
export const FieldIssue = Schema.Struct({ field: Schema.String, message: Schema.String })
export type FieldIssue = typeof FieldIssue.Type

/** In characters: the column's size. */
export const MAX_NAME_LENGTH = 100
/** A site with more domains should use a wildcard. */
const MAX_DOMAINS = 200

/** Values of a site, valid and normalized. Absent keys were not given. */
export type AcceptedSiteValues = Partial<
  Pick<Site, "id" | "name" | "domains" | "rateLimit" | "timezone" | "weekStart" | "currency">
>

/** Widens branded and literal strings to `string`. */
type Unchecked<Value> = Value extends string ? string : Value

/** Values of a site as entered, before validation. */
export type SiteValues = { readonly [Field in keyof AcceptedSiteValues]: Unchecked<AcceptedSiteValues[Field]> }

/** The value in its normal form, or whole sentences that say why it was rejected. */
type Parsed<Value> = Result.Result<Value, ReadonlyArray<FieldIssue>>

const reject = (field: string, message: string) => Result.fail([{ field, message }])

const isTimezone = (zone: string): boolean => {
  // Intl accepts offsets such as `+02:00`, but Postgres reads names of the IANA database.
  if (!/^[A-Za-z]/.test(zone)) return false
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone })
    return true
  } catch {
    return false
  }
}

/** A site's id, written in upper or lower case; null if it is not a UUID. */
export const parseSiteId = (given: string): SiteId | null =>
  Result.getOrElse(Schema.decodeUnknownResult(SiteId)(given.toLowerCase()), () => null)

const parseId = (given: string): Parsed<SiteId> => {
  const id = parseSiteId(given.trim())
  return id === null
    ? reject("id", "The id must be a UUID such as `3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f`.")
    : Result.succeed(id)
}

const parseName = (given: string): Parsed<string> => {
  const name = given.trim()
  if (name === "") return reject("name", "The name must not be blank.")
  if (name.length > MAX_NAME_LENGTH) return reject("name", `The name must have at most ${MAX_NAME_LENGTH} characters.`)
  if (/\p{Cc}/u.test(name)) return reject("name", "The name must not contain control characters.")
  return Result.succeed(name)
}

const parseDomains = (given: ReadonlyArray<string>): Parsed<ReadonlyArray<string>> => {
  const issues: Array<FieldIssue> = []
  const domains = new Set<string>()
  given.forEach((value, index) => {
    const domain = parseAllowedDomain(value)
    if (Result.isSuccess(domain)) domains.add(domain.success)
    else issues.push({ field: `domains/${index}`, message: domain.failure })
  })
  if (domains.size > MAX_DOMAINS) {
    issues.push({ field: "domains", message: `A site may have at most ${MAX_DOMAINS} domains.` })
  }
  return issues.length === 0 ? Result.succeed([...domains]) : Result.fail(issues)
}

const parseRateLimit = (given: RateLimit | null): Parsed<RateLimit | null> =>
  Result.mapError(Schema.decodeUnknownResult(Schema.NullOr(RateLimit))(given), () => [
    {
      field: "rateLimit",
      message: "The rate limit must be a number of events per second above 0 with a whole burst of at least 1."
    }
  ])

const parseTimezone = (given: string): Parsed<string> => {
  const timezone = given.trim()
  return isTimezone(timezone)
    ? Result.succeed(timezone)
    : reject(
        "timezone",
        `${JSON.stringify(timezone.slice(0, 100))} is not an IANA time zone such as \`Europe/Berlin\` or \`UTC\`.`
      )
}

const parseWeekStart = (given: string): Parsed<WeekStart> =>
  Result.mapError(Schema.decodeUnknownResult(WeekStart)(given.trim().toLowerCase()), () => [
    { field: "weekStart", message: "The week starts on `monday` or `sunday`." }
  ])

const parseCurrency = (given: string): Parsed<string> => {
  const currency = given.trim().toUpperCase()
  return /^[A-Z]{3}$/.test(currency)
    ? Result.succeed(currency)
    : reject("currency", "The currency must be an ISO 4217 code of three letters such as `EUR`.")
}

/** The given values in their normal form, or every issue with them. */
export const acceptSiteValues = (given: SiteValues): Result.Result<AcceptedSiteValues, ReadonlyArray<FieldIssue>> => {
  const issues: Array<FieldIssue> = []
  const accept = <Given, Value>(
    value: Given | undefined,
    parse: (value: Given) => Parsed<Value>
  ): Value | undefined => {
    if (value === undefined) return undefined
    const parsed = parse(value)
    if (Result.isSuccess(parsed)) return parsed.success
    issues.push(...parsed.failure)
    return undefined
  }
  const values = {
    id: accept(given.id, parseId),
    name: accept(given.name, parseName),
    domains: accept(given.domains, parseDomains),
    rateLimit: accept(given.rateLimit, parseRateLimit),
    timezone: accept(given.timezone, parseTimezone),
    weekStart: accept(given.weekStart, parseWeekStart),
    currency: accept(given.currency, parseCurrency)
  }
  if (issues.length > 0) return Result.fail(issues)
  return Result.succeed(withoutUndefined(values))
}

type Defined<A> = { readonly [Key in keyof A]?: Exclude<A[Key], undefined> }

const withoutUndefined = <A extends object>(values: A): Defined<A> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<A>
