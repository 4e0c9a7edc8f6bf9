import { Context, type Effect } from "effect"

/** The feature that a license token must list. */
export const FEATURE = "product-analytics"

export type GateState =
  | { readonly _tag: "Open" }
  /** A valid license; `expiresAt` in ms since the epoch. */
  | { readonly _tag: "Licensed"; readonly expiresAt: number }
  /** `why` is for operators: no token, expired, wrong signature, feature not licensed. It has no final period. */
  | { readonly _tag: "Off"; readonly why: string }

/** The message while product analytics is off. */
export const offMessage = (why: string): string => `Product analytics requires a valid license: ${why}.`

/** Whether product analytics is on. A changed license takes effect within 5 s, an expiry to the millisecond. */
export class FeatureGate extends Context.Service<
  FeatureGate,
  {
    /** Cheap enough to call for every request. */
    readonly isOn: () => boolean
    readonly state: () => GateState
    /** What the state would be with this token. */
    readonly check: (token: string) => Effect.Effect<GateState>
    /** Applies a changed token now. */
    readonly refresh: Effect.Effect<void>
  }
>()("footfall/ports/FeatureGate") {}
