import { beforeAll, describe, expect, test } from "bun:test"
import { Effect, Layer, References } from "effect"
import { TestClock } from "effect/testing"
import { exportJWK, exportPKCS8, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from "jose"
import * as LicenseGate from "../../../layers/license/LicenseGate.ts"
import { FeatureGate } from "../../../src/ports/FeatureGate.ts"
import { Settings } from "../../../src/ports/Settings.ts"
import { eventually } from "../../support/eventually.ts"
import * as MemorySettings from "../../support/memory/MemorySettings.ts"

/** 2027-01-01T00:00:00Z. */
const NOW = Date.UTC(2027, 0, 1)
const HOUR = 3_600

let ours: CryptoKeyPair
let pem: string
beforeAll(async () => {
  ours = await generateKeyPair("EdDSA", { extractable: true })
  pem = await exportSPKI(ours.publicKey)
})

const sign = (claims: JWTPayload, key: CryptoKey = ours.privateKey, alg = "EdDSA") =>
  new SignJWT(claims).setProtectedHeader({ alg }).sign(key)
const valid = (claims: JWTPayload = {}) => sign({ features: ["product-analytics"], exp: NOW / 1000 + HOUR, ...claims })

const withGate = <A, E>(environment: Record<string, string>, test: Effect.Effect<A, E, FeatureGate | Settings>) =>
  Effect.runPromise(
    Effect.gen(function* () {
      yield* TestClock.setTime(NOW)
      return yield* test.pipe(
        Effect.provide(LicenseGate.layer.pipe(Layer.provideMerge(MemorySettings.layer(environment))))
      )
    }).pipe(Effect.provide(TestClock.layer()), Effect.provideService(References.MinimumLogLevel, "Error"))
  )

const licensed = (environment: Record<string, string | undefined>) => ({
  FEATURE_GATE: "token",
  LICENSE_PUBLIC_KEY: pem,
  ...environment
})
const stateWith = (environment: Record<string, string>) =>
  withGate(
    licensed(environment),
    Effect.map(FeatureGate, (gate) => ({ on: gate.isOn(), state: gate.state() }))
  )

test("an open gate is on without a license", async () => {
  expect(
    await withGate(
      {},
      Effect.map(FeatureGate, (gate) => [gate.isOn(), gate.state()])
    )
  ).toEqual([true, { _tag: "Open" }])
})

test("a valid license opens the gate until it expires", async () => {
  expect(await stateWith({ LICENSE_TOKEN: await valid() })).toEqual({
    on: true,
    state: { _tag: "Licensed", expiresAt: NOW + HOUR * 1000 }
  })
})

test("a public key is accepted as PEM, as PEM on one line and as JWK", async () => {
  const token = await valid()
  const jwk = JSON.stringify(await exportJWK(ours.publicKey))
  for (const key of [pem, pem.replaceAll("\n", "\\n"), jwk]) {
    expect((await stateWith({ LICENSE_PUBLIC_KEY: key, LICENSE_TOKEN: token })).on).toBe(true)
  }
})

describe("without a valid license", () => {
  const cases: ReadonlyArray<readonly [string, () => Promise<Record<string, string>>, string]> = [
    ["no token", async () => ({}), "no license token is set"],
    ["a token that is not a JWT", async () => ({ LICENSE_TOKEN: "hello" }), "is not a JWT"],
    ["a token of 100,000 characters", async () => ({ LICENSE_TOKEN: "x".repeat(100_000) }), "is not a JWT"],
    [
      "a token signed with another key",
      async () => ({
        LICENSE_TOKEN: await sign(
          { features: ["product-analytics"], exp: NOW / 1000 + HOUR },
          (await generateKeyPair("EdDSA")).privateKey
        )
      }),
      "not signed with the key"
    ],
    [
      "a token with changed claims",
      async () => {
        const [header, , signature] = (await valid()).split(".")
        const claims = Buffer.from(JSON.stringify({ features: ["product-analytics"], exp: 9e9 })).toString("base64url")
        return { LICENSE_TOKEN: `${header}.${claims}.${signature}` }
      },
      "not signed with the key"
    ],
    [
      "a token with an HMAC that uses the public key as its secret",
      async () => ({
        LICENSE_TOKEN: await new SignJWT({ features: ["product-analytics"], exp: NOW / 1000 + HOUR })
          .setProtectedHeader({ alg: "HS256" })
          .sign(new TextEncoder().encode(pem))
      }),
      "not signed with EdDSA"
    ],
    [
      "a token with `alg: none`",
      async () => ({
        LICENSE_TOKEN: `${Buffer.from('{"alg":"none"}').toString("base64url")}.${Buffer.from('{"features":["product-analytics"],"exp":9e9}').toString("base64url")}.`
      }),
      "not signed with EdDSA"
    ],
    [
      "a license for another feature",
      async () => ({ LICENSE_TOKEN: await valid({ features: ["dashboards"] }) }),
      "does not include the feature"
    ],
    [
      "a license whose features are a string",
      async () => ({ LICENSE_TOKEN: await valid({ features: "product-analytics" }) }),
      "lacks its claims"
    ],
    [
      "a license without an expiry",
      async () => ({ LICENSE_TOKEN: await sign({ features: ["product-analytics"] }) }),
      "lacks its claims"
    ],
    [
      "an expired license",
      async () => ({ LICENSE_TOKEN: await valid({ exp: NOW / 1000 - 1 }) }),
      "expired at 2026-12-31T23:59:59.000Z"
    ],
    [
      "a license that is not valid yet",
      async () => ({ LICENSE_TOKEN: await valid({ nbf: NOW / 1000 + 60 }) }),
      "valid from 2027-01-01T00:01:00.000Z"
    ]
  ]
  test.each(cases.map(([name, environment, why]) => ({ name, environment, why })))(
    "with $name the gate is off and says why",
    async ({ environment, why }) => {
      const { on, state } = await stateWith(await environment())
      expect(on).toBe(false)
      expect(state).toMatchObject({ _tag: "Off", why: expect.stringContaining(why) })
    }
  )
})

test("a license expires at its exact time, without any event", async () => {
  await withGate(
    licensed({ LICENSE_TOKEN: await valid() }),
    Effect.gen(function* () {
      const gate = yield* FeatureGate
      yield* TestClock.setTime(NOW + HOUR * 1000 - 1)
      expect(gate.isOn()).toBe(true)
      yield* TestClock.setTime(NOW + HOUR * 1000)
      expect([gate.isOn(), gate.state()._tag]).toEqual([false, "Off"])
    })
  )
})

test("a license that is not valid yet opens the gate at its start time", async () => {
  await withGate(
    licensed({ LICENSE_TOKEN: await valid({ nbf: NOW / 1000 + 60 }) }),
    Effect.gen(function* () {
      const gate = yield* FeatureGate
      expect(gate.isOn()).toBe(false)
      yield* TestClock.adjust("1 minute")
      expect(gate.isOn()).toBe(true)
    })
  )
})

test("setting, renewing and unsetting a license takes effect without a restart", async () => {
  await withGate(
    licensed({}),
    Effect.gen(function* () {
      const gate = yield* FeatureGate
      const settings = yield* Settings
      // Verifying a signature takes a turn of the event loop, which the test clock does not control.
      const becomes = (on: boolean) =>
        Effect.andThen(
          TestClock.adjust("1 second"),
          eventually(`the gate is ${on ? "on" : "off"}`, () => gate.isOn() === on)
        )
      expect(gate.isOn()).toBe(false)
      yield* settings.set("license-token", yield* Effect.promise(() => valid()))
      yield* becomes(true)
      yield* settings.set("license-token", "nonsense")
      yield* becomes(false)
      yield* settings.set("license-token", yield* Effect.promise(() => valid({ exp: NOW / 1000 + 2 * HOUR })))
      yield* becomes(true)
      yield* settings.unset("license-token")
      yield* becomes(false)
    })
  )
})

describe("an unusable public key", () => {
  test.each([
    ["no key", async () => ({ LICENSE_PUBLIC_KEY: undefined }), "needs LICENSE_PUBLIC_KEY"],
    ["a string that is not a key", async () => ({ LICENSE_PUBLIC_KEY: "hello" }), "can't be read as a key"],
    [
      "a private PEM",
      async () => ({ LICENSE_PUBLIC_KEY: await exportPKCS8(ours.privateKey) }),
      "can't be read as a key"
    ],
    [
      "a private JWK",
      async () => ({ LICENSE_PUBLIC_KEY: JSON.stringify(await exportJWK(ours.privateKey)) }),
      "holds a private key"
    ],
    [
      "an elliptic curve of another kind",
      async () => ({
        LICENSE_PUBLIC_KEY: JSON.stringify(
          await exportJWK((await generateKeyPair("ES256", { extractable: true })).publicKey)
        )
      }),
      "is a JWK of another kind"
    ],
    [
      "an RSA key",
      async () => ({
        LICENSE_PUBLIC_KEY: await exportSPKI((await generateKeyPair("RS256", { extractable: true })).publicKey)
      }),
      "can't be read as a key"
    ]
  ] as const)("with %s as the public key, Footfall refuses to start", async (_, environment, message) => {
    const given = await environment()
    const error = await withGate(licensed(given), FeatureGate).then(
      () => null,
      (error: Error) => error
    )
    expect(error?.message).toContain(message)
    if ((given.LICENSE_PUBLIC_KEY ?? "").length > 10)
      expect(error?.message).not.toContain(given.LICENSE_PUBLIC_KEY ?? "")
  })
})
