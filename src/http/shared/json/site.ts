import { Schema } from "effect"
import { VariantSchema } from "effect/schema"
import { Definitions, type Site, WeekStart } from "../../../domain/Site.ts"
import { trackingSnippet } from "../snippet.ts"
import { EXAMPLE, Instant, NotBlank } from "./fields.ts"

const { Struct, Field, extract } = VariantSchema.make({
  variants: ["read", "create", "update"],
  defaultVariant: "read"
})

const Ignored = Schema.optionalKey(
  Schema.Unknown.annotate({ description: "Ignored, so that a response can be edited and sent back" })
)

/** A field of responses that an update may contain but not change. */
const readOnly = <Read extends Schema.Top>(read: Read) => Field({ read, update: Ignored })

/** A field that a new site may have and a change may replace. */
const optional = <Read extends Schema.Top, Write extends Schema.Top>(read: Read, write: Write) =>
  Field({ read, create: Schema.optionalKey(write), update: Schema.optionalKey(write) })

const NAME = { description: "Display name, at most 100 characters", examples: ["My shop"] } as const
const Name = NotBlank.annotate(NAME)

const DOMAINS = [["example.com", "*.example.com"]] as const
const WrittenDomains = Schema.Union([Schema.Array(Schema.String), Schema.String, Schema.Null]).annotate({
  description: "A list, or a string separated by commas or spaces; an empty list or null allows every origin",
  examples: DOMAINS
})

const eventsPerSecond = Schema.Finite.annotate({
  description: "Events per second that each collector process accepts, above 0",
  examples: [50]
})
const RateLimit = Schema.Struct({
  events_per_second: eventsPerSecond,
  burst: Schema.Int.annotate({ description: "Events accepted at once before the rate applies", examples: [100] })
}).annotate({
  identifier: "RateLimit",
  description: "The site's own limit. Above it, clients get 429 with `Retry-After`."
})
const WrittenRateLimit = Schema.Struct({
  events_per_second: eventsPerSecond.annotate({ description: "Above 0", examples: [50] }),
  burst: Schema.optionalKey(
    Schema.Finite.annotate({ description: "A whole number; default: twice the rate", examples: [100] })
  )
})

/** A site in requests and responses: each field once, with the form it has when read, created and updated. */
const SiteModel = Struct({
  id: Field({
    read: Schema.String.annotate({
      description: "The snippet's `data-website-id`",
      format: "uuid",
      examples: [EXAMPLE.siteId]
    }),
    create: Schema.optionalKey(
      Schema.String.annotate({
        description: "A UUID of your choice, such as the site's id in Umami; default: a random one",
        format: "uuid",
        examples: [EXAMPLE.siteId]
      })
    ),
    update: Ignored
  }),
  uuid: readOnly(Schema.String.annotate({ description: "Same as `id`", format: "uuid", examples: [EXAMPLE.siteId] })),
  name: Field({ read: Schema.String.annotate(NAME), create: Name, update: Schema.optionalKey(Name) }),
  allowed_domains: optional(
    Schema.Array(Schema.String).annotate({
      description:
        "Domains whose pages may send events: `example.com` (includes `www.`), `*.example.com`, each on any port, or `example.com:8443` for one port; an empty list allows every origin",
      examples: DOMAINS
    }),
    WrittenDomains
  ),
  archived: Field({
    read: Schema.Boolean.annotate({
      description: "An archived site keeps its events and accepts no new ones",
      examples: [false]
    }),
    update: Schema.optionalKey(
      Schema.Boolean.annotate({ description: "`false` restores an archived site", examples: [false] })
    )
  }),
  rate_limit: optional(
    Schema.NullOr(RateLimit).annotate({
      description: "Null: the instance's `rate-limit-events-per-second` applies"
    }),
    Schema.NullOr(WrittenRateLimit).annotate({ description: "Null removes the site's own limit" })
  ),
  timezone: optional(
    Schema.String.annotate({ description: "IANA time zone of reports", examples: ["Europe/Berlin"] }),
    Schema.String.annotate({ description: "IANA time zone of reports; default: UTC", examples: ["Europe/Berlin"] })
  ),
  week_start: optional(
    WeekStart.annotate({ description: "First day of the week in reports" }),
    Schema.String.annotate({ description: "`monday` or `sunday`; default: monday", examples: ["monday"] })
  ),
  definitions: optional(
    Definitions.annotate({
      description:
        "How visits, bounces, durations and channels are counted in questions about this site: `strict` by Footfall's definitions, `umami` with the numbers of Umami 3.1"
    }),
    Schema.String.annotate({ description: "`strict` or `umami`; default: strict", examples: ["umami"] })
  ),
  currency: optional(
    Schema.String.annotate({ description: "ISO 4217 code of revenue in reports", examples: ["EUR"] }),
    Schema.String.annotate({ description: "ISO 4217 code; default: USD", examples: ["EUR"] })
  ),
  created_at: readOnly(Instant),
  updated_at: readOnly(Instant),
  tracking_snippet: readOnly(
    Schema.String.annotate({
      description: "The tag to paste into the `<head>` of the site's pages",
      examples: [EXAMPLE.snippet]
    })
  )
})

export const SiteJson = extract(SiteModel, "read").annotate({ identifier: "Site", description: "A registered site." })
export type SiteJson = typeof SiteJson.Type

export const SiteCreateJson = extract(SiteModel, "create").annotate({
  identifier: "SiteCreate",
  description: "Only the name is required."
})
export type SiteCreateJson = typeof SiteCreateJson.Type

export const SiteUpdateJson = extract(SiteModel, "update").annotate({
  identifier: "SiteUpdate",
  description: "Absent keys keep their values; `rate_limit: null` removes the site's own limit."
})
export type SiteUpdateJson = typeof SiteUpdateJson.Type

/** A site in a response of the API and in the CLI's JSON output. */
export const siteJson = (site: Site, snippet: { readonly scriptUrl: string; readonly hostUrl: string }): SiteJson => ({
  id: site.id,
  uuid: site.id,
  name: site.name,
  allowed_domains: site.domains,
  archived: site.archived,
  rate_limit:
    site.rateLimit === null ? null : { events_per_second: site.rateLimit.eventsPerSecond, burst: site.rateLimit.burst },
  timezone: site.timezone,
  week_start: site.weekStart,
  definitions: site.definitions,
  currency: site.currency,
  created_at: site.createdAt.toISOString(),
  updated_at: site.updatedAt.toISOString(),
  tracking_snippet: trackingSnippet({ siteId: site.id, ...snippet })
})
