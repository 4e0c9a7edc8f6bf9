import { Clock, Effect, Layer, Result, Schedule, Schema } from "effect"
import { type CryptoKey, compactVerify, importJWK, importSPKI } from "jose"
import { StartError } from "../../src/domain/StartError.ts"
import { errorCode } from "../../src/lib/errorCode.ts"
import { FEATURE, FeatureGate, type GateState } from "../../src/ports/FeatureGate.ts"
import { Settings } from "../../src/ports/Settings.ts"
import { FEATURE_GATE, LICENSE_PUBLIC_KEY, LICENSE_TOKEN } from "../../src/settings/settings.ts"
import { WITHOUT_LICENSE_KEY } from "../../src/settings/startProblems.ts"

/** Interval at which a changed token is noticed: with up to 4 s for the settings table, a change takes effect within 5 s. */
const POLL_INTERVAL = "500 millis"

/** Far above any license; longer strings are rejected without being parsed. */
const MAX_TOKEN_LENGTH = 16_384

/** The claims of a license. `exp` and `nbf` are RFC 7519 seconds since the epoch. */
const Claims = Schema.fromJsonString(
  Schema.Struct({
    features: Schema.Array(Schema.String),
    exp: Schema.Finite,
    nbf: Schema.optionalKey(Schema.Finite)
  })
)

/** A token after its signature and claims were checked. Its validity period is compared with the clock on every call. */
type CheckedToken =
  | { readonly _tag: "Signed"; readonly expiresAt: number; readonly validFrom: number }
  | { readonly _tag: "Rejected"; readonly why: string }

const rejected = (why: string): CheckedToken => ({ _tag: "Rejected", why })

/** Why a key cannot verify licenses. */
class PublicKeyError extends Schema.TaggedError<PublicKeyError>()("PublicKeyError", {
  reason: Schema.Literals(["PrivateKey", "OtherJwk", "OtherKey", "Unreadable"])
}) {}

const PUBLIC_KEY_PROBLEMS: Readonly<Record<PublicKeyError["reason"], string>> = {
  PrivateKey: "holds a private key, which must stay with the license issuer",
  OtherJwk: "is a JWK of another kind",
  OtherKey: "is a key of another kind",
  Unreadable: "can't be read as a key"
}

const Jwk = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown))

const parsePublicKey = Effect.fnUntraced(function* (given: string) {
  const fail = (reason: PublicKeyError["reason"]) => new PublicKeyError({ reason })
  const load = (importKey: () => Promise<CryptoKey | Uint8Array>) =>
    Effect.tryPromise({ try: importKey, catch: () => fail("Unreadable") })
  // An environment file with one line per variable writes a PEM's line ends as `\n`.
  const key = given.trim().replaceAll("\\n", "\n")
  if (!key.startsWith("{")) {
    const imported = yield* Effect.tryPromise({ try: () => importSPKI(key, "EdDSA"), catch: () => fail("Unreadable") })
    return imported.algorithm.name === "Ed25519" ? imported : yield* fail("OtherKey")
  }
  const jwk = yield* Effect.mapError(Schema.decodeEffect(Jwk)(key), () => fail("Unreadable"))
  if (jwk["d"] !== undefined) return yield* fail("PrivateKey")
  if (jwk["kty"] !== "OKP" || jwk["crv"] !== "Ed25519") return yield* fail("OtherJwk")
  const imported = yield* load(() => importJWK({ ...jwk, kty: "OKP", alg: "EdDSA" }, "EdDSA"))
  return imported instanceof Uint8Array ? yield* fail("OtherJwk") : imported
})

const importPublicKey = (given: string): Effect.Effect<CryptoKey, StartError> =>
  Effect.mapError(
    parsePublicKey(given),
    ({ reason }) =>
      new StartError({
        message: `LICENSE_PUBLIC_KEY ${PUBLIC_KEY_PROBLEMS[reason]}; it accepts an Ed25519 public key: PEM (SPKI, "-----BEGIN PUBLIC KEY-----") or JWK.`
      })
  )

/** By jose's error code. */
const SIGNATURE_PROBLEMS: Readonly<Record<string, string>> = {
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED:
    "the license token was not signed with the key of LICENSE_PUBLIC_KEY, or was changed",
  ERR_JOSE_ALG_NOT_ALLOWED: "the license token is not signed with EdDSA"
}
const NOT_A_JWT = "the license token is not a JWT"

const checkToken = Effect.fnUntraced(function* (token: string | null, key: CryptoKey) {
  if (token === null) return rejected("no license token is set; set LICENSE_TOKEN")
  if (token.length > MAX_TOKEN_LENGTH) return rejected(NOT_A_JWT)
  const verified = yield* Effect.result(
    Effect.tryPromise({
      try: () => compactVerify(token.trim(), key, { algorithms: ["EdDSA", "Ed25519"] }),
      catch: errorCode
    })
  )
  if (Result.isFailure(verified)) return rejected(SIGNATURE_PROBLEMS[verified.failure] ?? NOT_A_JWT)
  const claims = Schema.decodeUnknownResult(Claims)(new TextDecoder().decode(verified.success.payload))
  if (Result.isFailure(claims)) return rejected("the license token lacks its claims `features` (a list) and `exp`")
  const { features, exp, nbf } = claims.success
  if (!features.includes(FEATURE)) return rejected(`the license does not include the feature \`${FEATURE}\``)
  const signed: CheckedToken = {
    _tag: "Signed",
    expiresAt: exp * 1000,
    validFrom: (nbf ?? Number.NEGATIVE_INFINITY) * 1000
  }
  return signed
})

/** The largest time that a `Date` represents, in ms. */
const MAX_DATE_MS = 8.64e15

const formatInstant = (ms: number) => (Math.abs(ms) <= MAX_DATE_MS ? new Date(ms).toISOString() : "a time out of range")

const stateAt = (token: CheckedToken, now: number): GateState => {
  if (token._tag === "Rejected") return { _tag: "Off", why: token.why }
  if (now < token.validFrom)
    return { _tag: "Off", why: `the license is valid from ${formatInstant(token.validFrom)} on` }
  if (now >= token.expiresAt) return { _tag: "Off", why: `the license expired at ${formatInstant(token.expiresAt)}` }
  return { _tag: "Licensed", expiresAt: token.expiresAt }
}

const openGate = (): FeatureGate["Service"] => {
  const open: GateState = { _tag: "Open" }
  return FeatureGate.of({
    isOn: () => true,
    state: () => open,
    check: () => Effect.succeed(open),
    refresh: Effect.void
  })
}

/** Checks the signature whenever `LICENSE_TOKEN` changes, and the validity period on every call, so expiry needs no timer. */
const tokenGate = Effect.fnUntraced(function* (settings: Settings["Service"]) {
  const publicKey = settings.get(LICENSE_PUBLIC_KEY)
  if (publicKey === null) return yield* new StartError({ message: WITHOUT_LICENSE_KEY })
  const key = yield* importPublicKey(publicKey)
  const clock = yield* Clock.Clock
  const now = () => clock.currentTimeMillisUnsafe()

  let token = settings.get(LICENSE_TOKEN)
  let checked = yield* checkToken(token, key)
  const warnIfOff = (state: GateState) =>
    state._tag === "Off" ? Effect.logWarning(`Product analytics is off: ${state.why}.`) : Effect.void

  yield* warnIfOff(stateAt(checked, now()))
  const refresh = Effect.gen(function* () {
    const current = settings.get(LICENSE_TOKEN)
    if (current === token) return
    checked = yield* checkToken(current, key)
    token = current
    const state = stateAt(checked, now())
    yield* state._tag === "Off" ? warnIfOff(state) : Effect.logInfo("Product analytics is on: the license is valid.")
  })
  yield* refresh.pipe(Effect.repeat(Schedule.spaced(POLL_INTERVAL)), Effect.forkScoped)

  return FeatureGate.of({
    isOn: () => checked._tag === "Signed" && stateAt(checked, now())._tag === "Licensed",
    state: () => stateAt(checked, now()),
    check: (given) => Effect.map(checkToken(given, key), (token) => stateAt(token, now())),
    refresh
  })
})

/** The gate that `FEATURE_GATE` selects. */
export const layer: Layer.Layer<FeatureGate, StartError, Settings> = Layer.effect(
  FeatureGate,
  Effect.flatMap(Settings, (settings) =>
    settings.get(FEATURE_GATE) === "open" ? Effect.succeed(openGate()) : tokenGate(settings)
  )
)
