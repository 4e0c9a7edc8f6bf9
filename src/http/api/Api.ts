import { Schema, SchemaTransformation } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiMiddleware, HttpApiSecurity, OpenApi } from "effect/http-api"
import { REJECTION_REASONS } from "../../domain/Rejection.ts"
import { WeekStart } from "../../domain/Site.ts"
import { VERSION } from "../../lib/version.ts"
import { KeyRole } from "../../ports/AdminKeys.ts"
import { PREFIX } from "../shared/prefix.ts"
import { describe } from "./describe.ts"
import {
  BadRequest,
  Conflict,
  Forbidden,
  GatewayTimeout,
  NotFound,
  PaymentRequired,
  ServiceUnavailable,
  Unauthorized,
  UnprocessableContent
} from "./Problem.ts"

/** What the documentation shows where a value stands for any other. */
const EXAMPLE = {
  id: "3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f",
  keyId: "94488cc1-2cd1-499b-83fc-bd7afd4cbcad",
  instant: "2026-11-23T19:11:54.895Z",
  snippet:
    '<script defer src="https://cloud.umami.is/script.js" data-website-id="3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f" data-host-url="https://stats.example.com"></script>'
} as const

const Instant = Schema.String.annotate({
  description: "ISO 8601, UTC",
  format: "date-time",
  examples: [EXAMPLE.instant]
})

const Name = Schema.String.annotate({
  description: "What people call it, 100 characters at most",
  examples: ["My shop"]
})

export const RateLimitJson = Schema.Struct({
  events_per_second: Schema.Finite.annotate({
    description: "Events a second that each collector process takes, above 0",
    examples: [50]
  }),
  burst: Schema.Int.annotate({ description: "Events that it takes at once before the rate applies", examples: [100] })
}).annotate({
  identifier: "RateLimit",
  description: "The site's own limit. Past it, clients get 429 with `Retry-After`."
})

export const SiteJson = Schema.Struct({
  id: Schema.String.annotate({
    description: "The snippet's `data-website-id`",
    format: "uuid",
    examples: [EXAMPLE.id]
  }),
  uuid: Schema.String.annotate({ description: "The same as `id`", format: "uuid", examples: [EXAMPLE.id] }),
  name: Name,
  allowed_domains: Schema.Array(Schema.String).annotate({
    description: "Whose pages may send events: `example.com`, `*.example.com`, `localhost:8080`; none means all",
    examples: [["example.com", "*.example.com"]]
  }),
  archived: Schema.Boolean.annotate({
    description: "An archived site takes no events and keeps those it has",
    examples: [false]
  }),
  rate_limit: Schema.NullOr(RateLimitJson).annotate({
    description: "Null: the instance's `rate-limit-events-per-second` applies"
  }),
  timezone: Schema.String.annotate({ description: "IANA time zone of reports", examples: ["Europe/Berlin"] }),
  week_start: WeekStart.annotate({ description: "First day of the week in reports" }),
  currency: Schema.String.annotate({ description: "ISO 4217 code of revenue in reports", examples: ["EUR"] }),
  created_at: Instant,
  updated_at: Instant,
  tracking_snippet: Schema.String.annotate({
    description: "The tag to paste into the `<head>` of the site's pages",
    examples: [EXAMPLE.snippet]
  })
}).annotate({ identifier: "Site", description: "A registered site." })
export type SiteJson = typeof SiteJson.Type

/** A list, or one text with commas or line ends between the domains. */
const Domains = Schema.Union([Schema.Array(Schema.String), Schema.String, Schema.Null]).annotate({
  description: "A list, or one text with commas or blanks between the domains; none or null allows all",
  examples: [["example.com", "*.example.com"]]
})

const changeable = {
  allowed_domains: Schema.optionalKey(Domains),
  rate_limit: Schema.optionalKey(
    Schema.NullOr(
      Schema.Struct({
        events_per_second: Schema.Finite.annotate({ description: "Above 0", examples: [50] }),
        burst: Schema.optionalKey(
          Schema.Finite.annotate({ description: "A whole number; twice the rate unless given", examples: [100] })
        )
      })
    ).annotate({ description: "Null takes the site's own limit away" })
  ),
  timezone: Schema.optionalKey(
    Schema.String.annotate({ description: "IANA time zone of reports; UTC unless given", examples: ["Europe/Berlin"] })
  ),
  week_start: Schema.optionalKey(
    Schema.String.annotate({ description: "`monday` or `sunday`; monday unless given", examples: ["monday"] })
  ),
  currency: Schema.optionalKey(
    Schema.String.annotate({ description: "ISO 4217 code; USD unless given", examples: ["EUR"] })
  )
}

/** What answers hold and no request decides: taken and ignored, so that an answer can be changed and sent back. */
const Ignored = Schema.optionalKey(
  Schema.Unknown.annotate({ description: "Ignored, so that an answer can be changed and sent back" })
)
const readOnly = { uuid: Ignored, created_at: Ignored, updated_at: Ignored, tracking_snippet: Ignored }

const NotBlank = Schema.String.annotate({
  description: "What people call it, 100 characters at most",
  examples: ["My shop"]
}).check(Schema.isPattern(/\S/, { message: "The name must not be blank." }))

export const SiteCreateJson = Schema.Struct({
  id: Schema.optionalKey(
    Schema.String.annotate({
      description: "A UUID of your own, such as the site's id in Umami; a random one unless given",
      format: "uuid",
      examples: [EXAMPLE.id]
    })
  ),
  name: NotBlank,
  ...changeable
}).annotate({ identifier: "SiteCreate", description: "Only the name is needed." })
export type SiteCreateJson = typeof SiteCreateJson.Type

export const SiteUpdateJson = Schema.Struct({
  ...readOnly,
  id: Ignored,
  name: Schema.optionalKey(NotBlank),
  ...changeable,
  archived: Schema.optionalKey(
    Schema.Boolean.annotate({ description: "False makes an archived site live again", examples: [false] })
  )
}).annotate({
  identifier: "SiteUpdate",
  description: "Absent keys are left alone; `rate_limit: null` takes the site's own limit away."
})
export type SiteUpdateJson = typeof SiteUpdateJson.Type

const RejectionJson = Schema.Struct({
  at: Instant,
  reason: Schema.Literals(REJECTION_REASONS),
  detail: Schema.String.annotate({ examples: ["payload.url: Invalid URL."] }),
  hostname: Schema.NullOr(Schema.String).annotate({ examples: ["www.example.com"] }),
  url_path: Schema.NullOr(Schema.String).annotate({
    description: "Without query and hash, which may hold what is nobody's business",
    examples: ["/checkout"]
  }),
  user_agent: Schema.NullOr(Schema.String).annotate({
    examples: ["Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0"]
  })
}).annotate({
  identifier: "Rejection",
  description: "A payload that was not stored, and why. Never with an IP address."
})

export const SettingJson = Schema.Struct({
  name: Schema.String.annotate({ examples: ["rate-limit-events-per-second"] }),
  variable: Schema.String.annotate({
    description: "The environment variable, which comes before the settings table",
    examples: ["RATE_LIMIT_EVENTS_PER_SECOND"]
  }),
  group: Schema.String.annotate({ examples: ["Collect"] }),
  value: Schema.NullOr(Schema.String).annotate({
    description: "Null when there is none; `•••` in place of a secret",
    examples: ["100"]
  }),
  source: Schema.Literals(["environment", "table", "default"]).annotate({ description: "Where the value comes from" }),
  note: Schema.NullOr(Schema.String).annotate({
    description: "What the value alone does not say: wrong and so not used, overridden, in force after the next start",
    examples: [null]
  }),
  default: Schema.String.annotate({ description: "The default in words", examples: ["none: no limit"] }),
  accepts: Schema.String.annotate({ description: "The accepted values in words", examples: ["a number above 0"] }),
  doc: Schema.String.annotate({ description: "What the setting does", examples: ["Events a second that …"] }),
  secret: Schema.Boolean.annotate({ description: "The value is never shown", examples: [false] }),
  environment_only: Schema.Boolean.annotate({
    description: "Needed before the table can be reached, so it can't be set here",
    examples: [false]
  }),
  live: Schema.Boolean.annotate({
    description: "A change takes effect within 5 s; otherwise at the next start",
    examples: [true]
  })
}).annotate({ identifier: "Setting", description: "A setting as a process started now would have it." })
export type SettingJson = typeof SettingJson.Type

const SettingValue = Schema.Struct({
  value: Schema.String.annotate({ description: "As in the environment variable", examples: ["100"] })
}).annotate({ identifier: "SettingValue" })

const keyFields = {
  id: Schema.String.annotate({ format: "uuid", examples: [EXAMPLE.keyId] }),
  name: Schema.String.annotate({ description: "Who or what uses the key", examples: ["grafana"] }),
  role: KeyRole.annotate({ description: "`admin`: everything; `viewer`: numbers, status and rejections" }),
  prefix: Schema.String.annotate({ description: "The first characters of the key", examples: ["ff_v3_Kq"] }),
  created_at: Instant
}
const KeyJson = Schema.Struct(keyFields).annotate({
  identifier: "Key",
  description: "A key in force, without the key itself."
})
const NewKeyJson = Schema.Struct({
  ...keyFields,
  key: Schema.String.annotate({
    description: "The key: shown this once, kept as a hash",
    examples: ["ff_v3_KqBza_heRmXeDnh0rSgWRekzoacuR-lhkV1GyF_M"]
  })
}).annotate({ identifier: "NewKey", description: "The key, this once." })
const KeyCreateJson = Schema.Struct({
  name: NotBlank.annotate({ description: "Who or what uses the key", examples: ["grafana"] }),
  role: Schema.optionalKey(KeyRole.annotate({ description: "`admin` unless given" }))
}).annotate({ identifier: "KeyCreate" })

const Bytes = Schema.Finite.annotate({ examples: [14_336] })
const StatusJson = Schema.Struct({
  version: Schema.String.annotate({ examples: [VERSION] }),
  gate: Schema.Struct({
    state: Schema.Literals(["open", "licensed"]),
    expires_at: Schema.NullOr(Instant)
  }).annotate({ description: "Whether a license is needed, and until when it is valid" }),
  storage: Schema.Struct({
    backend: Schema.String.annotate({ examples: ["postgres"] }),
    ready: Schema.Boolean.annotate({ description: "Events can be stored", examples: [true] }),
    pending_records: Schema.Finite.annotate({ description: "Records that wait to be written", examples: [12] }),
    pending_bytes: Bytes,
    in_flight: Schema.Finite.annotate({ description: "Batches that are being written", examples: [1] }),
    last_success_at: Schema.NullOr(Instant),
    last_error_at: Schema.NullOr(Instant),
    last_error: Schema.NullOr(Schema.String).annotate({ examples: [null] })
  }),
  warehouse: Schema.Struct({
    engine: Schema.Literals(["postgres", "trino", "duckdb"]).annotate({ description: "What questions are asked" }),
    ready: Schema.Boolean.annotate({ description: "It answers, and knows where the events are", examples: [true] }),
    why: Schema.NullOr(Schema.String).annotate({ description: "Why it is not ready", examples: [null] })
  }),
  geo: Schema.Struct({
    on: Schema.Boolean.annotate({ description: "Addresses are looked up", examples: [true] }),
    why: Schema.NullOr(Schema.String).annotate({ description: "Why not, or what is wrong", examples: [null] }),
    database: Schema.NullOr(Schema.String).annotate({ examples: ["GeoLite2-City"] }),
    built_at: Schema.NullOr(Instant)
  }),
  secret: Schema.Struct({
    source: Schema.Literals(["APP_SECRET", "ENCRYPTION_SECRET_KEY", "database"]).annotate({
      description: "Where the secret behind session ids and tokens comes from"
    })
  })
}).annotate({ identifier: "Status", description: "Of the process that answers." })

const ClientJson = Schema.Struct({
  peer: Schema.NullOr(Schema.String).annotate({ description: "Who opened the connection", examples: ["10.0.0.7"] }),
  ip: Schema.NullOr(Schema.String).annotate({
    description: "Whom an event sent like this request would be from",
    examples: ["81.2.69.142"]
  }),
  why: Schema.String.annotate({
    description: "Why that address, and why that place or none",
    examples: ["The address is from the header `x-forwarded-for`, which a trusted peer sent."]
  }),
  country: Schema.NullOr(Schema.String).annotate({ description: "ISO 3166-1 alpha-2", examples: ["GB"] }),
  region: Schema.NullOr(Schema.String).annotate({ description: "ISO 3166-2", examples: ["GB-ENG"] }),
  city: Schema.NullOr(Schema.String).annotate({ examples: ["London"] })
}).annotate({ identifier: "Client", description: "The client and place that an event would be given." })

/** Who may call: `viewer` reads, `admin` does everything. */
export class ViewerAccess extends HttpApiMiddleware.Service<ViewerAccess>()("footfall/http/api/ViewerAccess", {
  error: [Unauthorized, PaymentRequired, ServiceUnavailable],
  security: { key: HttpApiSecurity.bearer }
}) {}

export class AdminAccess extends HttpApiMiddleware.Service<AdminAccess>()("footfall/http/api/AdminAccess", {
  error: [Unauthorized, PaymentRequired, Forbidden, ServiceUnavailable],
  security: { key: HttpApiSecurity.bearer }
}) {}

/** Writes every declared problem and every refused request as problem+json with the request's id. */
export class Problems extends HttpApiMiddleware.Service<Problems>()("footfall/http/api/Problems", {
  error: BadRequest
}) {}

// Ids are read as text: a malformed one is a site that does not exist, not a malformed request.
const bySite = {
  params: { id: Schema.String.annotate({ description: "The site's id, a UUID", examples: [EXAMPLE.id] }) }
}
const byName = {
  params: {
    name: Schema.String.annotate({
      description: "The setting's name or its variable's",
      examples: ["rate-limit-events-per-second"]
    })
  }
}
const limit = {
  limit: Schema.optionalKey(
    Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: 500 })).annotate({
      description: "How many at most, 1 to 500; 100 unless given",
      examples: [100]
    })
  )
}
const unavailable = ServiceUnavailable

/** What the documentation calls an endpoint, and what there is to know about it. */
const told = (summary: string, description?: string) =>
  OpenApi.annotations({ summary, ...(description !== undefined && { description }) })

class SitesGroup extends HttpApiGroup.make("sites")
  .add(
    HttpApiEndpoint.get("list", "/sites", {
      query: {
        archived: Schema.optionalKey(
          Schema.Literals(["true", "false"]).annotate({ description: "`true` adds the archived ones" })
        )
      },
      success: Schema.Array(SiteJson).annotate({ description: "The sites." }),
      error: unavailable
    }).annotateMerge(told("List sites", "All live sites ordered by name; `archived=true` adds the archived ones.")),
    HttpApiEndpoint.post("create", "/sites", {
      payload: SiteCreateJson,
      success: SiteJson,
      error: [Conflict, UnprocessableContent, unavailable]
    }).annotateMerge(
      told("Create a site", "Every collector takes its events within 5 s. 409 when the given id is a site's already.")
    ),
    HttpApiEndpoint.get("get", "/sites/:id", {
      ...bySite,
      success: SiteJson,
      error: [NotFound, unavailable]
    }).annotateMerge(told("Get a site", "Archived ones too.")),
    HttpApiEndpoint.put("update", "/sites/:id", {
      ...bySite,
      payload: SiteUpdateJson,
      success: SiteJson,
      error: [NotFound, UnprocessableContent, unavailable]
    }).annotateMerge(told("Change a site", "Absent keys are left alone.")),
    HttpApiEndpoint.delete("archive", "/sites/:id", {
      ...bySite,
      success: SiteJson,
      error: [NotFound, unavailable]
    }).annotateMerge(
      told(
        "Archive a site",
        "Soft delete: the site takes no more events and is kept with those it has. `archived: false` makes it live again."
      )
    )
  )
  .middleware(AdminAccess)
  .annotateMerge(
    OpenApi.annotations({
      title: "Sites",
      description: "Registered sites. A change reaches every collector within 5 s. Needs a key with the role `admin`."
    })
  ) {}

/** Ms since 1970, as Umami's API takes them. Described where they are texts: there the documentation looks. */
const epochMs = (description: string, example: string) =>
  Schema.String.annotate({ description, examples: [example] })
    .check(Schema.isPattern(/^-?\d{1,16}$/, { expected: "whole milliseconds since 1970" }))
    .pipe(Schema.decodeTo(Schema.Int, SchemaTransformation.numberFromString))

const Count = (description: string, example: number) => Schema.Int.annotate({ description, examples: [example] })
const OverviewJson = Schema.Struct({
  pageviews: Count("Views of pages, links and pixels", 14),
  visitors: Count("Different sessions among them", 5),
  visits: Count("Different visits among them", 10),
  bounces: Count("Visits of a single view", 6),
  totaltime: Count("Seconds from first to last view, summed over the visits", 840)
}).annotate({ identifier: "Overview", description: "Umami's overview of a site." })

class StatsGroup extends HttpApiGroup.make("stats")
  .add(
    HttpApiEndpoint.get("overview", "/sites/:id/stats", {
      ...bySite,
      query: {
        startAt: epochMs("The first ms of the range, since 1970", "1774656000000"),
        endAt: epochMs("The last ms of the range, which belongs to it, since 1970", "1775001599999")
      },
      success: OverviewJson,
      error: [NotFound, UnprocessableContent, unavailable, GatewayTimeout]
    }).annotateMerge(
      told(
        "Get a site's overview",
        "Parameters, numbers and their names are those of Umami's `/api/websites/:id/stats`. Archived sites too. Closing the connection ends the question in the warehouse."
      )
    )
  )
  .middleware(ViewerAccess)
  .annotateMerge(
    OpenApi.annotations({
      title: "Stats",
      description: "Numbers of a site, from the warehouse that `WAREHOUSE` names."
    })
  ) {}

class RejectionsGroup extends HttpApiGroup.make("rejections")
  .add(
    HttpApiEndpoint.get("ofSite", "/sites/:id/rejections", {
      ...bySite,
      query: limit,
      success: Schema.Array(RejectionJson).annotate({ description: "The rejections, newest first." }),
      error: [NotFound, unavailable]
    }).annotateMerge(told("List a site's rejections", "Newest first.")),
    HttpApiEndpoint.get("unplaced", "/rejections", {
      query: limit,
      success: Schema.Array(RejectionJson).annotate({ description: "The rejections, newest first." })
    }).annotateMerge(told("List rejections of no site", "Of payloads that named no registered site, newest first."))
  )
  .middleware(ViewerAccess)
  .annotateMerge(
    OpenApi.annotations({
      title: "Rejections",
      description:
        "The last few hundred payloads that were not stored, kept in the memory of the process that answers. With several collectors, `/metrics` counts them all."
    })
  ) {}

class SettingsGroup extends HttpApiGroup.make("settings")
  .add(
    HttpApiEndpoint.get("list", "/settings", {
      success: Schema.Array(SettingJson).annotate({ description: "Every setting." }),
      error: unavailable
    }).annotateMerge(told("List settings", "Every setting with its value and where that comes from.")),
    HttpApiEndpoint.get("get", "/settings/:name", {
      ...byName,
      success: SettingJson,
      error: [NotFound, unavailable]
    }).annotateMerge(told("Get a setting")),
    HttpApiEndpoint.put("set", "/settings/:name", {
      ...byName,
      payload: SettingValue,
      success: SettingJson,
      error: [NotFound, Conflict, UnprocessableContent, unavailable]
    }).annotateMerge(
      told(
        "Set a setting",
        "Kept in the settings table, for every process of the instance. 409 when the environment decides this setting."
      )
    ),
    HttpApiEndpoint.delete("unset", "/settings/:name", {
      ...byName,
      success: SettingJson,
      error: [NotFound, Conflict, unavailable]
    }).annotateMerge(told("Unset a setting", "Takes the value out of the settings table: back to the default."))
  )
  .middleware(AdminAccess)
  .annotateMerge(
    OpenApi.annotations({
      title: "Settings",
      description:
        "Precedence: the environment, then the settings table, then the default. Needs a key with the role `admin`."
    })
  ) {}

class KeysGroup extends HttpApiGroup.make("keys")
  .add(
    HttpApiEndpoint.get("list", "/keys", {
      success: Schema.Array(KeyJson).annotate({ description: "The keys in force." }),
      error: unavailable
    }).annotateMerge(told("List keys", "Those in force, oldest first.")),
    HttpApiEndpoint.post("create", "/keys", {
      payload: KeyCreateJson,
      success: NewKeyJson,
      error: [UnprocessableContent, unavailable]
    }).annotateMerge(told("Create a key", "The answer is the only time that the key is shown.")),
    HttpApiEndpoint.delete("revoke", "/keys/:id", {
      params: { id: Schema.String.annotate({ description: "The key's id, a UUID", examples: [EXAMPLE.keyId] }) },
      success: Schema.Struct({ id: Schema.String, revoked: Schema.Literal(true) }).annotate({
        description: "The key is revoked."
      }),
      error: [NotFound, unavailable]
    }).annotateMerge(told("Revoke a key", "It stops working on every process within 5 s."))
  )
  .middleware(AdminAccess)
  .annotateMerge(
    OpenApi.annotations({
      title: "Keys",
      description: "Keys of this API. Needs a key with the role `admin`."
    })
  ) {}

class StatusGroup extends HttpApiGroup.make("status")
  .add(
    HttpApiEndpoint.get("status", "/status", { success: StatusJson }).annotateMerge(
      told("Get the status", "Of the process that answers: storage, warehouse, geo database, license.")
    ),
    HttpApiEndpoint.get("client", "/client", { success: ClientJson }).annotateMerge(
      told(
        "Explain the client",
        "Which client address and place an event sent like this request would get, and why: shows what a proxy passes on. The answer is kept nowhere."
      )
    )
  )
  .middleware(ViewerAccess)
  .annotateMerge(OpenApi.annotations({ title: "Status", description: "How the process does that answers." })) {}

const DESCRIPTION = `The admin API of the Footfall collector. Send a key as \`Authorization: Bearer ff_…\`; the first start of \`bun run full\`
prints one, \`bun run footfall keys create\` makes more.

\`\`\`
curl -H "Authorization: Bearer $FOOTFALL_KEY" \\
  https://stats.example.com${PREFIX}/sites
\`\`\`

Errors are [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem details (\`application/problem+json\`): \`detail\` says
in a sentence what is wrong, \`errors\` points at each wrong value, and \`request_id\` is in the server's log as well.
Where a license is needed and there is none, every route answers 402.

Events are not sent here: trackers and clients use \`POST /api/send\` and \`POST /api/batch\` in Umami's format. Probes ask
\`/api/health\` and \`/livez\`, Prometheus \`/metrics\`.`

/** The admin API; served under `PREFIX`, described at `/openapi.json`. */
export class AdminApi extends HttpApi.make("footfall")
  .add(SitesGroup)
  .add(StatsGroup)
  .add(RejectionsGroup)
  .add(SettingsGroup)
  .add(KeysGroup)
  .add(StatusGroup)
  .middleware(Problems)
  .prefix(PREFIX)
  .annotate(HttpApi.PayloadParseOptions, { onExcessProperty: "error", errors: "all" })
  .annotateMerge(
    OpenApi.annotations({ title: "Footfall", version: VERSION, description: DESCRIPTION, transform: describe })
  ) {}
