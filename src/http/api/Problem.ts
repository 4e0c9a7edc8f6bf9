import { Schema } from "effect"
import { HttpApiError } from "effect/http-api"

/** One wrong value of a request; `pointer` is an RFC 6901 pointer into the body. */
export const ProblemField = Schema.Struct({ pointer: Schema.String, detail: Schema.String })
export type ProblemField = typeof ProblemField.Type

// RFC 9457 members that every answer carries beside type, title, status, detail and instance.
const common = { request_id: Schema.optionalKey(Schema.String) }
const withErrors = { ...common, errors: Schema.optionalKey(Schema.Array(ProblemField)) }
const type = "about:blank"

/** The body is not JSON, not of the shape that is documented, or lacks the name. */
export class BadRequest extends HttpApiError.Problem<BadRequest>()(
  "BadRequest",
  { type, status: 400, title: "Bad Request" },
  withErrors
) {}
/** No key, or one that is unknown or revoked. */
export class Unauthorized extends HttpApiError.Problem<Unauthorized>()(
  "Unauthorized",
  { type, status: 401, title: "Unauthorized" },
  common
) {}
/** Product analytics needs a valid license. */
export class PaymentRequired extends HttpApiError.Problem<PaymentRequired>()(
  "PaymentRequired",
  { type, status: 402, title: "Payment Required" },
  common
) {}
/** The key's role does not allow it. */
export class Forbidden extends HttpApiError.Problem<Forbidden>()(
  "Forbidden",
  { type, status: 403, title: "Forbidden" },
  common
) {}
export class NotFound extends HttpApiError.Problem<NotFound>()(
  "NotFound",
  { type, status: 404, title: "Not Found" },
  common
) {}
export class Conflict extends HttpApiError.Problem<Conflict>()(
  "Conflict",
  { type, status: 409, title: "Conflict" },
  common
) {}
/** The body has the right shape and holds values that can't be accepted. */
export class UnprocessableContent extends HttpApiError.Problem<UnprocessableContent>()(
  "UnprocessableContent",
  { type, status: 422, title: "Unprocessable Content" },
  withErrors
) {}
/** The app database or the warehouse can't be asked; the same request may work later. */
export class ServiceUnavailable extends HttpApiError.Problem<ServiceUnavailable>()(
  "ServiceUnavailable",
  { type, status: 503, title: "Service Unavailable" },
  common
) {}
/** The warehouse had no answer by its deadline. */
export class GatewayTimeout extends HttpApiError.Problem<GatewayTimeout>()(
  "GatewayTimeout",
  { type, status: 504, title: "Gateway Timeout" },
  common
) {}

export type Problem =
  | BadRequest
  | Unauthorized
  | PaymentRequired
  | Forbidden
  | NotFound
  | Conflict
  | UnprocessableContent
  | ServiceUnavailable
  | GatewayTimeout
