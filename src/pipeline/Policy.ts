import { Context, Effect, Layer, Redacted } from "effect"
import type { AddressMatcher } from "../lib/ipAddress.ts"
import { AppSecret } from "../ports/AppSecret.ts"
import { Settings } from "../ports/Settings.ts"
import type { ProxyTrust } from "../settings/proxyTrust.ts"
import {
  CLIENT_IP_HEADER,
  DISABLE_BOT_CHECK,
  ENFORCE_DOMAINS,
  IGNORE_IP,
  REMOVE_TRAILING_SLASH,
  SALT_ROTATION,
  SKIP_LOCATION_HEADERS,
  TIMESTAMP_EARLIEST,
  TIMESTAMP_MAX_AHEAD_SECONDS,
  TRUST_PROXY
} from "../settings/settings.ts"
import { type SaltRotation, secretHash } from "./Identity.ts"

/** The settings of the pipeline, in the form that its steps use. */
export class Policy extends Context.Service<
  Policy,
  {
    /** Umami's `secret()`. */
    readonly secret: string
    readonly saltRotation: SaltRotation
    readonly trust: ProxyTrust
    readonly clientIpHeader: string | null
    readonly isIgnored: AddressMatcher
    readonly useLocationHeaders: boolean
    readonly rejectBots: boolean
    readonly enforceDomains: boolean
    readonly removeTrailingSlash: boolean
    /** Times that events may have: `earliest` in ms since the epoch, `maxAheadMs` beyond now. */
    readonly timestamps: { readonly earliest: number; readonly maxAheadMs: number }
  }
>()("footfall/pipeline/Policy") {
  static readonly layer = Layer.effect(
    Policy,
    Effect.gen(function* () {
      const settings = yield* Settings
      const appSecret = yield* AppSecret
      return Policy.of({
        secret: secretHash(Redacted.value(appSecret.value)),
        saltRotation: settings.get(SALT_ROTATION),
        trust: settings.get(TRUST_PROXY).trust,
        clientIpHeader: settings.get(CLIENT_IP_HEADER),
        isIgnored: settings.get(IGNORE_IP).includes,
        useLocationHeaders: !settings.get(SKIP_LOCATION_HEADERS),
        enforceDomains: settings.get(ENFORCE_DOMAINS),
        rejectBots: !settings.get(DISABLE_BOT_CHECK),
        removeTrailingSlash: settings.get(REMOVE_TRAILING_SLASH),
        timestamps: {
          earliest: Date.parse(settings.get(TIMESTAMP_EARLIEST)),
          maxAheadMs: settings.get(TIMESTAMP_MAX_AHEAD_SECONDS) * 1000
        }
      })
    })
  )
}
