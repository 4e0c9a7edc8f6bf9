import { Predicate, Schema } from "effect"
import { HttpApiError, HttpApiMiddleware } from "effect/http-api"

interface ProblemType<Status extends number> {
  readonly status: Status
  readonly title: string
  /** When it occurs: its description in the documentation. */
  readonly when: string
  /** Members of the documentation's example. */
  readonly example: { readonly detail: string; readonly errors?: ReadonlyArray<ProblemField> }
}

/** The status and title already identify a problem, so there are no type URIs (RFC 9457, section 4.2.1). */
const define = <const Status extends number>(problem: ProblemType<Status>) => ({
  type: "about:blank" as const,
  ...problem
})

/** Every problem that an endpoint can fail with (RFC 9457). Rendering, decoding and documentation derive from this table. */
export const PROBLEM_TYPES = {
  BadRequest: define({
    status: 400,
    title: "Bad Request",
    when: "The body is not JSON, or the request does not match the documented schema.",
    example: {
      detail: "Invalid body: There is no property `nmae`. Did you mean `name`? The properties are `name`, `role`.",
      errors: [
        {
          pointer: "#/nmae",
          detail: "There is no property `nmae`. Did you mean `name`? The properties are `name`, `role`."
        }
      ]
    }
  }),
  Unauthorized: define({
    status: 401,
    title: "Unauthorized",
    when: "The API key is missing, unknown or revoked, or the session has ended.",
    example: { detail: "This API key is unknown or was revoked." }
  }),
  PaymentRequired: define({
    status: 402,
    title: "Payment Required",
    when: "Product analytics requires a valid license (`FEATURE_GATE=token`).",
    example: {
      detail: "Product analytics requires a valid license: the license expired at 2026-12-31T23:59:59.000Z."
    }
  }),
  Forbidden: define({
    status: 403,
    title: "Forbidden",
    when: "The key or user may not do this, or the request comes from a page of another site.",
    example: { detail: "This requires a key with the role `admin`; yours is `viewer`." }
  }),
  NotFound: define({
    status: 404,
    title: "Not Found",
    when: "Nothing has this id or name.",
    example: { detail: 'There is no site with the id "3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f".' }
  }),
  Conflict: define({
    status: 409,
    title: "Conflict",
    when: "It already exists, or the environment overrides it.",
    example: {
      detail: 'A site with the id "3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f" already exists; it may be archived.'
    }
  }),
  ContentTooLarge: define({
    status: 413,
    title: "Content Too Large",
    when: "The body is larger than the API accepts.",
    example: { detail: "The body is too large." }
  }),
  UnsupportedMediaType: define({
    status: 415,
    title: "Unsupported Media Type",
    when: "The body is not sent as `application/json`.",
    example: { detail: "Send the body as `application/json`." }
  }),
  UnprocessableContent: define({
    status: 422,
    title: "Unprocessable Content",
    when: "The request matches the schema but contains invalid values.",
    example: {
      detail: '"https://example.com/shop" has a path or query; give only the host, such as `example.com`.',
      errors: [
        {
          pointer: "#/allowed_domains/0",
          detail: '"https://example.com/shop" has a path or query; give only the host, such as `example.com`.'
        }
      ]
    }
  }),
  TooManyRequests: define({
    status: 429,
    title: "Too Many Requests",
    when: "Too many attempts to sign in to this account, or from this address; retry after `Retry-After` seconds.",
    example: { detail: "Too many attempts. Try again in 60 seconds." }
  }),
  ServiceUnavailable: define({
    status: 503,
    title: "Service Unavailable",
    when: "The app database or the warehouse is unavailable; retry after `Retry-After` seconds.",
    example: { detail: "The app database can't be reached." }
  }),
  GatewayTimeout: define({
    status: 504,
    title: "Gateway Timeout",
    when: "The warehouse did not answer within `WAREHOUSE_TIMEOUT_SECONDS`; the query was canceled.",
    example: { detail: "The warehouse did not answer in time. Try a shorter range." }
  })
} as const

/** One invalid value of a request; `pointer` is an RFC 6901 pointer into the body or query. */
export const ProblemField = Schema.Struct({ pointer: Schema.String, detail: Schema.String })
export type ProblemField = typeof ProblemField.Type

// Extension members (RFC 9457) of every problem.
const common = { request_id: Schema.optionalKey(Schema.String) }
/** Which kind of problem a question has, for programs, and a JSON pointer into the question. */
const coded = {
  ...common,
  code: Schema.optionalKey(Schema.String),
  pointer: Schema.optionalKey(Schema.String)
}
const withErrors = { ...coded, errors: Schema.optionalKey(Schema.Array(ProblemField)) }

const { Problem } = HttpApiError
const types = PROBLEM_TYPES

export class BadRequest extends Problem<BadRequest>()("BadRequest", types.BadRequest, withErrors) {}
export class Unauthorized extends Problem<Unauthorized>()("Unauthorized", types.Unauthorized, common) {}
export class PaymentRequired extends Problem<PaymentRequired>()("PaymentRequired", types.PaymentRequired, common) {}
export class Forbidden extends Problem<Forbidden>()("Forbidden", types.Forbidden, coded) {}
export class NotFound extends Problem<NotFound>()("NotFound", types.NotFound, coded) {}
export class Conflict extends Problem<Conflict>()("Conflict", types.Conflict, common) {}
export class UnprocessableContent extends Problem<UnprocessableContent>()(
  "UnprocessableContent",
  types.UnprocessableContent,
  withErrors
) {}
export class TooManyRequests extends Problem<TooManyRequests>()("TooManyRequests", types.TooManyRequests, common) {}
export class ServiceUnavailable extends Problem<ServiceUnavailable>()(
  "ServiceUnavailable",
  types.ServiceUnavailable,
  coded
) {}
export class GatewayTimeout extends Problem<GatewayTimeout>()("GatewayTimeout", types.GatewayTimeout, coded) {}

export type Problem =
  | BadRequest
  | Unauthorized
  | PaymentRequired
  | Forbidden
  | NotFound
  | Conflict
  | UnprocessableContent
  | TooManyRequests
  | ServiceUnavailable
  | GatewayTimeout

export const isProblem = (error: unknown): error is Problem =>
  Predicate.hasProperty(error, "_tag") && typeof error._tag === "string" && Object.hasOwn(PROBLEM_TYPES, error._tag)

/** Responds with declared problems, and with `BadRequest` to requests that do not match the schema. */
export class RenderProblems extends HttpApiMiddleware.Service<RenderProblems>()("footfall/http/api/RenderProblems", {
  error: BadRequest
}) {}
