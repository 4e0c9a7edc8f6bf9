import { Result, Schema } from "effect"
import { parseAllowedDomain } from "./allowedDomain.ts"
import { Acceptance, type FieldIssue, type Parsed, parseName, parseTimezone, reject } from "./fieldIssues.ts"
import { SiteId } from "./ids.ts"
import { Definitions, RateLimit, type Site, WeekStart } from "./Site.ts"

/** A site with more domains should use a wildcard. */
const MAX_DOMAINS = 200

/** Values of a site, valid and normalized. Absent keys were not given. */
export type AcceptedSiteValues = Partial<
  Pick<Site, "id" | "name" | "domains" | "rateLimit" | "timezone" | "weekStart" | "definitions" | "currency">
>

/** Widens branded and literal strings to `string`. */
type Unchecked<Value> = Value extends string ? string : Value

/** Values of a site as entered, before validation. */
export type SiteValues = { readonly [Field in keyof AcceptedSiteValues]: Unchecked<AcceptedSiteValues[Field]> }

/** A site's id, written in upper or lower case; null if it is not a UUID. */
export const parseSiteId = (given: string): SiteId | null =>
  Result.getOrElse(Schema.decodeUnknownResult(SiteId)(given.toLowerCase()), () => null)

const parseId = (given: string): Parsed<SiteId> => {
  const id = parseSiteId(given.trim())
  return id === null
    ? reject("id", "The id must be a UUID such as `3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f`.")
    : Result.succeed(id)
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

const parseWeekStart = (given: string): Parsed<WeekStart> =>
  Result.mapError(Schema.decodeUnknownResult(WeekStart)(given.trim().toLowerCase()), () => [
    { field: "weekStart", message: "The week starts on `monday` or `sunday`." }
  ])

const parseDefinitions = (given: string): Parsed<Definitions> =>
  Result.mapError(Schema.decodeUnknownResult(Definitions)(given.trim().toLowerCase()), () => [
    { field: "definitions", message: "The definitions are `strict`, which are Footfall's own, or `umami`." }
  ])

const parseCurrency = (given: string): Parsed<string> => {
  const currency = given.trim().toUpperCase()
  return /^[A-Z]{3}$/.test(currency)
    ? Result.succeed(currency)
    : reject("currency", "The currency must be an ISO 4217 code of three letters such as `EUR`.")
}

/** The given values in their normal form, or every issue with them. */
export const acceptSiteValues = (given: SiteValues): Result.Result<AcceptedSiteValues, ReadonlyArray<FieldIssue>> => {
  const acceptance = new Acceptance()
  return acceptance.of({
    id: acceptance.accept(given.id, parseId),
    name: acceptance.accept(given.name, parseName),
    domains: acceptance.accept(given.domains, parseDomains),
    rateLimit: acceptance.accept(given.rateLimit, parseRateLimit),
    timezone: acceptance.accept(given.timezone, parseTimezone),
    weekStart: acceptance.accept(given.weekStart, parseWeekStart),
    definitions: acceptance.accept(given.definitions, parseDefinitions),
    currency: acceptance.accept(given.currency, parseCurrency)
  })
}
