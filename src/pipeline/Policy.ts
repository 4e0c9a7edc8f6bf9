import { Context, Effect, Layer, Redacted } from "effect"
import { StartError } from "../domain/StartError.ts"
import { type AddressMatcher, matcherOf } from "../lib/ipAddress.ts"
import { AppSecret } from "../ports/AppSecret.ts"
import { Settings } from "../ports/Settings.ts"
import {
  CLIENT_IP_HEADER,
  DISABLE_BOT_CHECK,
  IGNORE_IP,
  REMOVE_TRAILING_SLASH,
  SALT_ROTATION,
  SKIP_LOCATION_HEADERS,
  TRUST_PROXY
} from "../settings/settings.ts"
import { type ProxyTrust, parseProxyTrust } from "./clientIp.ts"
import { type SaltRotation, secretHash } from "./identity.ts"

/** How this instance wants payloads processed: the settings of the pipeline in the form that its steps use. */
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
    readonly refuseBots: boolean
    readonly removeTrailingSlash: boolean
  }
>()("footfall/pipeline/Policy") {
  static readonly layer = Layer.effect(
    Policy,
    Effect.gen(function* () {
      const settings = yield* Settings
      const appSecret = yield* AppSecret
      const trust = parseProxyTrust(settings.get(TRUST_PROXY))
      if ("wrong" in trust) {
        return yield* new StartError({
          message: `TRUST_PROXY holds ${JSON.stringify(trust.wrong)}; it accepts ${TRUST_PROXY.accepts}.`
        })
      }
      const isIgnored = matcherOf(settings.get(IGNORE_IP), { names: false })
      if (typeof isIgnored !== "function") {
        return yield* new StartError({
          message: `IGNORE_IP holds ${JSON.stringify(isIgnored.wrong)}; it accepts ${IGNORE_IP.accepts}.`
        })
      }
      return Policy.of({
        secret: secretHash(Redacted.value(appSecret.value)),
        saltRotation: settings.get(SALT_ROTATION),
        trust,
        clientIpHeader: settings.get(CLIENT_IP_HEADER),
        isIgnored,
        useLocationHeaders: !settings.get(SKIP_LOCATION_HEADERS),
        refuseBots: !settings.get(DISABLE_BOT_CHECK),
        removeTrailingSlash: settings.get(REMOVE_TRAILING_SLASH)
      })
    })
  )
}
