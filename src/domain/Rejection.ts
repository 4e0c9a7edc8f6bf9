import { Data } from "effect"
import type { RetryableReason } from "./StorageError.ts"

/** Umami's tree of validation errors (zod's `treeifyError`): messages here, and below each property or item. */
export interface ErrorTree {
  readonly errors: ReadonlyArray<string>
  readonly properties?: Readonly<Record<string, ErrorTree>>
  readonly items?: ReadonlyArray<ErrorTree | null>
}

/** Why a payload was not stored. Only `http/collect` knows what each looks like on the wire. */
export type Rejection = Data.TaggedEnum<{
  /** The body does not have the shape of the contract; `tree` says where. */
  InvalidPayload: { readonly tree: ErrorTree }
  /** No registered, live site has this id. */
  SiteNotFound: { readonly website: string }
  Bot: Record<never, never>
  BlockedIp: Record<never, never>
  /** The page's origin is not among the site's domains. */
  ForeignOrigin: Record<never, never>
  /** Over the site's rate limit; retry after this many seconds (whole, at least 1). */
  OverLimit: { readonly retryAfterSeconds: number }
  /** Product analytics is off (no valid license). */
  Disabled: Record<never, never>
  /** The storage refused this record. */
  Refused: { readonly message: string }
  /** The storage cannot accept the record now; retry after this many seconds. */
  Unavailable: { readonly reason: RetryableReason; readonly retryAfterSeconds: number }
}>
export const Rejection = Data.taggedEnum<Rejection>()

/** `BodyTooLarge` and `BodyTimeout` occur before a body becomes a payload. */
export type RejectionReason = Rejection["_tag"] | "BodyTooLarge" | "BodyTimeout"
const REASONS: Readonly<Record<RejectionReason, true>> = {
  InvalidPayload: true,
  SiteNotFound: true,
  Bot: true,
  BlockedIp: true,
  ForeignOrigin: true,
  OverLimit: true,
  Disabled: true,
  Refused: true,
  Unavailable: true,
  BodyTooLarge: true,
  BodyTimeout: true
}
/** Every reason; a new one that is missing here does not compile. */
export const REJECTION_REASONS = Object.keys(REASONS) as ReadonlyArray<RejectionReason>
