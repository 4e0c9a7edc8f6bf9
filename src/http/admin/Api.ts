import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiMiddleware, HttpApiSecurity, OpenApi } from "effect/http-api"
import { REJECTION_REASONS } from "../../domain/Rejection.ts"
import { WeekStart } from "../../domain/Site.ts"
import { KeyRole } from "../../ports/AdminKeys.ts"
import {
  BadRequest,
  Conflict,
  Forbidden,
  NotFound,
  PaymentRequired,
  ServiceUnavailable,
  Unauthorized,
  UnprocessableContent
} from "./Problem.ts"

/** Every admin route lies under this prefix. */
export const PREFIX = "/api/ee/product-analytics"

const Instant = Schema.String.annotate({ description: "ISO 8601, UTC", format: "date-time" })

export const RateLimitJson = Schema.Struct({ events_per_second: Schema.Finite, burst: Schema.Int }).annotate({
  identifier: "RateLimit",
  description: "A refill rate in events a second and the bucket's size in events; per collector process."
})

export const SiteJson = Schema.Struct({
  id: Schema.String.annotate({ description: "The snippet's `data-website-id`", format: "uuid" }),
  uuid: Schema.String.annotate({ description: "The same as `id`", format: "uuid" }),
  name: Schema.String,
  allowed_domains: Schema.Array(Schema.String).annotate({
    description: "Whose pages may send events: `example.com`, `*.example.com`, `localhost:8080`; none means all."
  }),
  archived: Schema.Boolean,
  rate_limit: Schema.NullOr(RateLimitJson),
  timezone: Schema.String.annotate({ description: "IANA time zone of reports" }),
  week_start: WeekStart,
  currency: Schema.String.annotate({ description: "ISO 4217" }),
  created_at: Instant,
  updated_at: Instant,
  tracking_snippet: Schema.String.annotate({ description: "The tag to paste into pages" })
}).annotate({ identifier: "Site" })
export type SiteJson = typeof SiteJson.Type

/** A list, or one text with commas or line ends between the domains. */
const Domains = Schema.Union([Schema.Array(Schema.String), Schema.String])

const changeable = {
  allowed_domains: Schema.optionalKey(Schema.NullOr(Domains)),
  rate_limit: Schema.optionalKey(
    Schema.NullOr(Schema.Struct({ events_per_second: Schema.Finite, burst: Schema.optionalKey(Schema.Finite) }))
  ),
  timezone: Schema.optionalKey(Schema.String),
  week_start: Schema.optionalKey(Schema.String),
  currency: Schema.optionalKey(Schema.String)
}

/** What answers hold and no request decides: taken and ignored, so that an answer can be changed and sent back. */
const readOnly = {
  uuid: Schema.optionalKey(Schema.Unknown),
  created_at: Schema.optionalKey(Schema.Unknown),
  updated_at: Schema.optionalKey(Schema.Unknown),
  tracking_snippet: Schema.optionalKey(Schema.Unknown)
}

const NotBlank = Schema.String.check(Schema.isPattern(/\S/, { message: "The name must not be blank." }))

export const SiteCreateJson = Schema.Struct({
  id: Schema.optionalKey(
    Schema.String.annotate({ description: "A UUID of your own, such as an Umami site's", format: "uuid" })
  ),
  name: NotBlank,
  ...changeable
}).annotate({ identifier: "SiteCreate" })
export type SiteCreateJson = typeof SiteCreateJson.Type

export const SiteUpdateJson = Schema.Struct({
  ...readOnly,
  id: Schema.optionalKey(Schema.Unknown),
  name: Schema.optionalKey(NotBlank),
  ...changeable,
  archived: Schema.optionalKey(Schema.Boolean)
}).annotate({
  identifier: "SiteUpdate",
  description: "Absent keys are left alone; `rate_limit: null` takes the site's own limit away."
})
export type SiteUpdateJson = typeof SiteUpdateJson.Type

const RejectionJson = Schema.Struct({
  at: Instant,
  reason: Schema.Literals(REJECTION_REASONS),
  detail: Schema.String,
  hostname: Schema.NullOr(Schema.String),
  url_path: Schema.NullOr(Schema.String),
  user_agent: Schema.NullOr(Schema.String)
}).annotate({
  identifier: "Rejection",
  description: "A payload that was not stored, and why. Never with an IP address."
})

export const SettingJson = Schema.Struct({
  name: Schema.String,
  variable: Schema.String.annotate({ description: "The environment variable, which comes before the settings table" }),
  group: Schema.String,
  value: Schema.NullOr(Schema.String).annotate({ description: "Null when there is none; `•••` in place of a secret" }),
  source: Schema.Literals(["environment", "table", "default"]),
  note: Schema.NullOr(Schema.String),
  default: Schema.String,
  accepts: Schema.String,
  doc: Schema.String,
  secret: Schema.Boolean,
  environment_only: Schema.Boolean,
  live: Schema.Boolean.annotate({ description: "A change takes effect within 5 s; otherwise at the next start" })
}).annotate({ identifier: "Setting" })
export type SettingJson = typeof SettingJson.Type

const KeyJson = {
  id: Schema.String,
  name: Schema.String,
  role: KeyRole,
  prefix: Schema.String.annotate({ description: "The first characters of the key" }),
  created_at: Instant
}

const StatusJson = Schema.Struct({
  version: Schema.String,
  gate: Schema.Struct({
    state: Schema.Literals(["open", "licensed"]),
    expires_at: Schema.NullOr(Instant)
  }),
  storage: Schema.Struct({
    backend: Schema.String,
    ready: Schema.Boolean,
    pending_records: Schema.Finite,
    pending_bytes: Schema.Finite,
    in_flight: Schema.Finite,
    last_success_at: Schema.NullOr(Instant),
    last_error_at: Schema.NullOr(Instant),
    last_error: Schema.NullOr(Schema.String)
  }),
  geo: Schema.Struct({
    on: Schema.Boolean,
    why: Schema.NullOr(Schema.String),
    database: Schema.NullOr(Schema.String),
    built_at: Schema.NullOr(Instant)
  }),
  secret: Schema.Struct({ source: Schema.Literals(["APP_SECRET", "ENCRYPTION_SECRET_KEY", "database"]) })
}).annotate({ identifier: "Status", description: "Of the process that answers." })

const ClientJson = Schema.Struct({
  peer: Schema.NullOr(Schema.String).annotate({ description: "Who opened the connection" }),
  ip: Schema.NullOr(Schema.String).annotate({ description: "Whom an event sent like this request would be from" }),
  why: Schema.String,
  country: Schema.NullOr(Schema.String),
  region: Schema.NullOr(Schema.String),
  city: Schema.NullOr(Schema.String)
}).annotate({ identifier: "Client" })

/** Who may call: `viewer` reads, `admin` does everything. */
export class ViewerAccess extends HttpApiMiddleware.Service<ViewerAccess>()("footfall/http/admin/ViewerAccess", {
  error: [Unauthorized, PaymentRequired, ServiceUnavailable],
  security: { key: HttpApiSecurity.bearer }
}) {}

export class AdminAccess extends HttpApiMiddleware.Service<AdminAccess>()("footfall/http/admin/AdminAccess", {
  error: [Unauthorized, PaymentRequired, Forbidden, ServiceUnavailable],
  security: { key: HttpApiSecurity.bearer }
}) {}

/** Writes every declared problem and every refused request as problem+json with the request's id. */
export class Problems extends HttpApiMiddleware.Service<Problems>()("footfall/http/admin/Problems", {
  error: BadRequest
}) {}

// Ids are read as text: a malformed one is a site that does not exist, not a malformed request.
const byId = { params: { id: Schema.String } }
const limit = {
  limit: Schema.optionalKey(
    Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: 500 }))
  )
}
const unavailable = ServiceUnavailable

class SitesGroup extends HttpApiGroup.make("sites")
  .add(
    HttpApiEndpoint.get("list", "/sites", {
      query: { archived: Schema.optionalKey(Schema.Literals(["true", "false"])) },
      success: Schema.Array(SiteJson),
      error: unavailable
    }).annotate(OpenApi.Description, "All live sites ordered by name; `archived=true` adds the archived ones."),
    HttpApiEndpoint.post("create", "/sites", {
      payload: SiteCreateJson,
      success: SiteJson,
      error: [Conflict, UnprocessableContent, unavailable]
    }),
    HttpApiEndpoint.get("get", "/sites/:id", { ...byId, success: SiteJson, error: [NotFound, unavailable] }),
    HttpApiEndpoint.put("update", "/sites/:id", {
      ...byId,
      payload: SiteUpdateJson,
      success: SiteJson,
      error: [NotFound, UnprocessableContent, unavailable]
    }),
    HttpApiEndpoint.delete("archive", "/sites/:id", {
      ...byId,
      success: SiteJson,
      error: [NotFound, unavailable]
    }).annotate(OpenApi.Description, "Soft delete: the site takes no more events and is kept with those it has.")
  )
  .middleware(AdminAccess)
  .annotate(OpenApi.Description, "Registered sites. A change reaches every collector within 5 s.") {}

class RejectionsGroup extends HttpApiGroup.make("rejections")
  .add(
    HttpApiEndpoint.get("ofSite", "/sites/:id/rejections", {
      ...byId,
      query: limit,
      success: Schema.Array(RejectionJson),
      error: [NotFound, unavailable]
    }).annotate(OpenApi.Description, "The site's latest refused payloads in the process that answers, newest first."),
    HttpApiEndpoint.get("unplaced", "/rejections", { query: limit, success: Schema.Array(RejectionJson) }).annotate(
      OpenApi.Description,
      "Refused payloads that named no site, newest first."
    )
  )
  .middleware(ViewerAccess) {}

class SettingsGroup extends HttpApiGroup.make("settings")
  .add(
    HttpApiEndpoint.get("list", "/settings", { success: Schema.Array(SettingJson), error: unavailable }),
    HttpApiEndpoint.get("get", "/settings/:name", {
      params: { name: Schema.String },
      success: SettingJson,
      error: [NotFound, unavailable]
    }),
    HttpApiEndpoint.put("set", "/settings/:name", {
      params: { name: Schema.String },
      payload: Schema.Struct({ value: Schema.String }),
      success: SettingJson,
      error: [NotFound, Conflict, UnprocessableContent, unavailable]
    }).annotate(OpenApi.Description, "409 when the environment decides this setting."),
    HttpApiEndpoint.delete("unset", "/settings/:name", {
      params: { name: Schema.String },
      success: SettingJson,
      error: [NotFound, Conflict, unavailable]
    })
  )
  .middleware(AdminAccess) {}

class KeysGroup extends HttpApiGroup.make("keys")
  .add(
    HttpApiEndpoint.get("list", "/keys", { success: Schema.Array(Schema.Struct(KeyJson)), error: unavailable }),
    HttpApiEndpoint.post("create", "/keys", {
      payload: Schema.Struct({ name: NotBlank, role: Schema.optionalKey(KeyRole) }),
      success: Schema.Struct({
        ...KeyJson,
        key: Schema.String.annotate({ description: "Shown once, kept as a hash" })
      }),
      error: [UnprocessableContent, unavailable]
    }).annotate(OpenApi.Description, "The role is `admin` unless given."),
    HttpApiEndpoint.delete("revoke", "/keys/:id", {
      ...byId,
      success: Schema.Struct({ id: Schema.String, revoked: Schema.Literal(true) }),
      error: [NotFound, unavailable]
    }).annotate(OpenApi.Description, "The key stops working on every process within 5 s.")
  )
  .middleware(AdminAccess) {}

class StatusGroup extends HttpApiGroup.make("status")
  .add(
    HttpApiEndpoint.get("status", "/status", { success: StatusJson }),
    HttpApiEndpoint.get("client", "/client", { success: ClientJson }).annotate(
      OpenApi.Description,
      "Which client address and place an event sent like this request would get, and why."
    )
  )
  .middleware(ViewerAccess) {}

/** The admin API; served under `PREFIX`, described at `/openapi.json`. */
export class AdminApi extends HttpApi.make("footfall")
  .add(SitesGroup)
  .add(RejectionsGroup)
  .add(SettingsGroup)
  .add(KeysGroup)
  .add(StatusGroup)
  .middleware(Problems)
  .prefix(PREFIX)
  .annotate(HttpApi.PayloadParseOptions, { onExcessProperty: "error", errors: "all" })
  .annotateMerge(
    OpenApi.annotations({
      title: "Footfall",
      description: "Admin API of the Footfall collector. Errors are RFC 9457 problem details."
    })
  ) {}
