import { expect, test } from "bun:test"
import { Effect, Fiber, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { makeOAuth2 } from "../../../../layers/iceberg/catalog/rest/oauth2.ts"
import type { IcebergError } from "../../../../layers/iceberg/IcebergError.ts"
import { eventually } from "../../../support/eventually.ts"

const REQUEST = { method: "GET", url: new URL("http://catalog/v1/config"), headers: {} } as const

/** Runs with a token endpoint on this machine, over HTTP. */
const withEndpoint = async <A>(
  respond: (form: URLSearchParams) => Response | Promise<Response>,
  credential: string,
  use: (authorizer: Effect.Success<ReturnType<typeof makeOAuth2>>) => Effect.Effect<A, unknown>
): Promise<A> => {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => respond(new URLSearchParams(await request.text()))
  })
  await using stack = new AsyncDisposableStack()
  stack.defer(() => server.stop(true))
  return await Effect.gen(function* () {
    const serverUri = new URL(`http://127.0.0.1:${server.port}/tokens`)
    return yield* use(
      yield* makeOAuth2({ credential: Redacted.make(credential), serverUri, scope: "PRINCIPAL_ROLE:ALL" })
    )
  }).pipe(Effect.runPromise)
}

const token = (value: string, expiresIn?: number): Response =>
  Response.json({
    access_token: value,
    token_type: "Bearer",
    ...(expiresIn === undefined ? {} : { expires_in: expiresIn })
  })

test("a credential is sent as id and secret with its scope, and the token is used", async () => {
  const forms: Array<object> = []
  const authorized = await withEndpoint(
    (form) => {
      forms.push(Object.fromEntries(form))
      return token("tk-1")
    },
    "collector:sk:with:colons",
    (authorizer) => authorizer.authorize(REQUEST)
  )
  expect(forms).toEqual([
    {
      grant_type: "client_credentials",
      client_id: "collector",
      client_secret: "sk:with:colons",
      scope: "PRINCIPAL_ROLE:ALL"
    }
  ])
  expect(authorized.headers).toEqual({ authorization: "Bearer tk-1" })
})

test("a secret without an id is sent on its own", async () => {
  const forms: Array<object> = []
  await withEndpoint(
    (form) => {
      forms.push(Object.fromEntries(form))
      return token("tk-1")
    },
    "sk-only",
    (authorizer) => authorizer.authorize(REQUEST)
  )
  expect(forms).toEqual([{ grant_type: "client_credentials", client_secret: "sk-only", scope: "PRINCIPAL_ROLE:ALL" }])
})

test.each<[string, () => Response, IcebergError["reason"], string]>([
  [
    "an OAuth2 error",
    () => Response.json({ error: "invalid_client", error_description: "wrong: sk-secret" }, { status: 401 }),
    "Denied",
    "rejected the credential (HTTP 401: invalid_client: wrong: …): correct the credential or the scope."
  ],
  [
    "an invalid scope",
    () => Response.json({ error: "invalid_scope" }, { status: 400 }),
    "Denied",
    "rejected the credential (HTTP 400: invalid_scope): correct the credential or the scope."
  ],
  [
    "a challenge",
    () => new Response("", { status: 401, headers: { "www-authenticate": 'Basic realm="tokens"' } }),
    "Denied",
    "rejected the credential (HTTP 401): correct the credential or the scope."
  ],
  ["a server error", () => new Response("down", { status: 503 }), "Unavailable", "failed to issue a token (HTTP 503)."],
  [
    "a page",
    () => new Response("<html>Welcome</html>", { headers: { "content-type": "text/html" } }),
    "Invalid",
    "did not return a token (HTTP 200): check the OAuth2 server's URI."
  ],
  [
    "a redirect",
    () => Response.redirect("http://127.0.0.1:1/", 302),
    "Invalid",
    "did not return a token (HTTP 302): check the OAuth2 server's URI."
  ],
  [
    "a missing path",
    () => new Response("", { status: 404 }),
    "Invalid",
    "did not return a token (HTTP 404): check the OAuth2 server's URI."
  ]
])("%s from the token endpoint is reported without the secret", async (_, respond, reason, message) => {
  const error = await withEndpoint(respond, "collector:sk-secret", (authorizer) =>
    Effect.flip(authorizer.authorize(REQUEST))
  )
  expect([error.reason, error.message.replace(/^The OAuth2 server at 127\.0\.0\.1:\d+ /, "")]).toEqual([
    reason,
    message
  ])
})

test("a token is reused until its last minute, and then renewed", async () => {
  let issued = 0
  const used = await withEndpoint(
    () => token(`tk-${++issued}`, 3_600),
    "collector:sk-secret",
    (authorizer) =>
      Effect.gen(function* () {
        const current = Effect.map(authorizer.authorize(REQUEST), ({ headers }) => headers["authorization"])
        const first = yield* current
        yield* TestClock.adjust("3539 seconds")
        const second = yield* current
        yield* TestClock.adjust("1 seconds")
        return [first, second, yield* current]
      }).pipe(Effect.provide(TestClock.layer()))
  )
  expect(used).toEqual(["Bearer tk-1", "Bearer tk-1", "Bearer tk-2"])
})

test("a rejected token is renewed once, even if several requests report it", async () => {
  let issued = 0
  const used = await withEndpoint(
    () => token(`tk-${++issued}`),
    "collector:sk-secret",
    (authorizer) =>
      Effect.gen(function* () {
        const rejected = yield* authorizer.authorize(REQUEST)
        expect(yield* authorizer.onRejected(rejected)).toBe(true)
        const renewed = yield* authorizer.authorize(REQUEST)
        yield* authorizer.onRejected(rejected)
        return [renewed, yield* authorizer.authorize(REQUEST)].map(({ headers }) => headers["authorization"])
      })
  )
  expect(used).toEqual(["Bearer tk-2", "Bearer tk-2"])
})

test("a token request fails after 30 seconds if the server does not answer", async () => {
  let isAsked = false
  const error = await withEndpoint(
    () => {
      isAsked = true
      return new Promise<Response>(() => {})
    },
    "collector:sk-secret",
    (authorizer) =>
      Effect.gen(function* () {
        const failing = yield* Effect.forkChild(Effect.flip(authorizer.authorize(REQUEST)))
        yield* eventually("the token request arrives", () => isAsked)
        yield* TestClock.adjust("30 seconds")
        return yield* Fiber.join(failing)
      }).pipe(Effect.provide(TestClock.layer()))
  )
  expect(error.reason).toBe("Unavailable")
  expect(error.message).toMatch(/^The OAuth2 server at 127\.0\.0\.1:\d+ did not answer within 30 seconds\.$/)
})
