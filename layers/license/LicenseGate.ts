import { Clock, Effect, Layer, Result, Schedule, Schema } from "effect"
import { type CryptoKey, compactVerify, importJWK, importSPKI, type JWK } from "jose"
import { StartError } from "../../src/domain/StartError.ts"
import { FEATURE, FeatureGate, type GateState } from "../../src/ports/FeatureGate.ts"
import { Settings } from "../../src/ports/Settings.ts"
import { FEATURE_GATE, LICENSE_PUBLIC_KEY, LICENSE_TOKEN } from "../../src/settings/settings.ts"

/** How often the license setting is compared with the one that was checked last: with the table's 4 s, a change is in force within 5 s. */
const LOOK_EVERY = "500 millis"

/** Tokens longer than this are not licenses; nothing is spent on them. */
const MAX_TOKEN_LENGTH = 16_384

/** What a license says. `exp` and `nbf` are RFC 7519 seconds since the epoch. */
const Claims = Schema.fromJsonString(
  Schema.Struct({
    features: Schema.Array(Schema.String),
    exp: Schema.Finite,
    nbf: Schema.optionalKey(Schema.Finite)
  })
)

/** A token whose signature was checked; whether it is in force depends on the time and is decided when asked. */
type Checked =
  | { readonly _tag: "Signed"; readonly expiresAt: number; readonly validFrom: number }
  | { readonly _tag: "Useless"; readonly why: string }

const useless = (why: string): Checked => ({ _tag: "Useless", why })

const importPublicKey = (text: string): Effect.Effect<CryptoKey, StartError> => {
  const refuse = (why: string) =>
    new StartError({
      message: `LICENSE_PUBLIC_KEY ${why}; it accepts an Ed25519 public key: PEM (SPKI, "-----BEGIN PUBLIC KEY-----") or JWK.`
    })
  // One-line environment files carry a PEM's line ends as `\n`.
  const key = text.trim().replaceAll("\\n", "\n")
  return Effect.tryPromise({
    try: async () => {
      if (!key.startsWith("{")) return await importSPKI(key, "EdDSA")
      const jwk: JWK = JSON.parse(key)
      if (jwk.d !== undefined) throw new Error("holds a private key, which belongs to whoever signs licenses")
      if (jwk.kty !== "OKP" || jwk.crv !== "Ed25519") throw new Error("is a JWK of another kind")
      const imported = await importJWK({ ...jwk, alg: "EdDSA" }, "EdDSA")
      if (imported instanceof Uint8Array) throw new Error("is a JWK of another kind")
      return imported
    },
    catch: (cause) =>
      refuse(cause instanceof Error && /^(holds|is) /.test(cause.message) ? cause.message : "can't be read as a key")
  }).pipe(
    Effect.filterOrFail(
      (imported) => imported.algorithm.name === "Ed25519",
      () => refuse("is a key of another kind")
    )
  )
}

const checkToken = (token: string | null, key: CryptoKey): Effect.Effect<Checked> =>
  Effect.gen(function* () {
    if (token === null) return useless("no license token is set; give one as LICENSE_TOKEN")
    if (token.length > MAX_TOKEN_LENGTH) return useless("the license token is not a JWT")
    const verified = yield* Effect.result(
      Effect.tryPromise({
        try: () => compactVerify(token.trim(), key, { algorithms: ["EdDSA", "Ed25519"] }),
        catch: (cause) => (cause instanceof Error && "code" in cause ? cause.code : undefined)
      })
    )
    if (Result.isFailure(verified)) {
      return useless(
        verified.failure === "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"
          ? "the license token was not signed with the key of LICENSE_PUBLIC_KEY, or was changed"
          : verified.failure === "ERR_JOSE_ALG_NOT_ALLOWED"
            ? "the license token is not signed with EdDSA"
            : "the license token is not a JWT"
      )
    }
    const claims = Schema.decodeUnknownResult(Claims)(new TextDecoder().decode(verified.success.payload))
    if (Result.isFailure(claims)) return useless("the license token lacks its claims `features` (a list) and `exp`")
    const { features, exp, nbf } = claims.success
    if (!features.includes(FEATURE)) return useless(`the license does not include the feature \`${FEATURE}\``)
    return { _tag: "Signed", expiresAt: exp * 1000, validFrom: (nbf ?? Number.NEGATIVE_INFINITY) * 1000 }
  })

const instant = (ms: number) => (Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : "a time out of range")

const stateAt = (checked: Checked, now: number): GateState => {
  if (checked._tag === "Useless") return { _tag: "Off", why: checked.why }
  if (now < checked.validFrom) return { _tag: "Off", why: `the license is valid from ${instant(checked.validFrom)} on` }
  if (now >= checked.expiresAt) return { _tag: "Off", why: `the license expired at ${instant(checked.expiresAt)}` }
  return { _tag: "Licensed", expiresAt: checked.expiresAt }
}

/**
 * The gate of `FEATURE_GATE`. With `token`, the license's signature is checked whenever `LICENSE_TOKEN` changes and its times
 * whenever someone asks, so it expires to the millisecond without a timer.
 */
export const layer: Layer.Layer<FeatureGate, StartError, Settings> = Layer.effect(
  FeatureGate,
  Effect.gen(function* () {
    const settings = yield* Settings
    if (settings.get(FEATURE_GATE) === "open") {
      const open: GateState = { _tag: "Open" }
      return FeatureGate.of({ isOn: () => true, state: () => open })
    }
    const keyText = settings.get(LICENSE_PUBLIC_KEY)
    if (keyText === null) {
      return yield* new StartError({
        message:
          "FEATURE_GATE is `token`, which needs LICENSE_PUBLIC_KEY: the Ed25519 key that license tokens are checked against."
      })
    }
    const key = yield* importPublicKey(keyText)
    const clock = yield* Clock.Clock

    let seen = settings.get(LICENSE_TOKEN)
    let checked = yield* checkToken(seen, key)
    const now = () => clock.currentTimeMillisUnsafe()

    yield* Effect.gen(function* () {
      const token = settings.get(LICENSE_TOKEN)
      if (token === seen) return
      checked = yield* checkToken(token, key)
      seen = token
      const state = stateAt(checked, now())
      yield* state._tag === "Off"
        ? Effect.logWarning(`Product analytics is off: ${state.why}.`)
        : Effect.logInfo("Product analytics is on: the license is valid.")
    }).pipe(Effect.repeat(Schedule.spaced(LOOK_EVERY)), Effect.forkScoped)

    const state = stateAt(checked, now())
    if (state._tag === "Off") yield* Effect.logWarning(`Product analytics is off: ${state.why}.`)

    return FeatureGate.of({
      isOn: () => checked._tag === "Signed" && stateAt(checked, now())._tag === "Licensed",
      state: () => stateAt(checked, now())
    })
  })
)
