import { Context } from "effect"

/** The feature's keyword in license tokens. */
export const FEATURE = "product-analytics"

export type GateState =
  | { readonly _tag: "Open" }
  /** A valid license; `expiresAt` in ms since the epoch. */
  | { readonly _tag: "Licensed"; readonly expiresAt: number }
  /** Off; `why` is for operators: no token, expired, wrong signature, feature not in its claims. */
  | { readonly _tag: "Off"; readonly why: string }

/** Whether product analytics is on. Follows a changed license within 5 s and an expiring one to the second. */
export class FeatureGate extends Context.Service<
  FeatureGate,
  {
    /** Cheap enough for every request. */
    readonly isOn: () => boolean
    readonly state: () => GateState
  }
>()("footfall/ports/FeatureGate") {}
