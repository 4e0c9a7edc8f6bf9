import { Effect } from "effect"
import { HttpEffect, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { BrowserRequest, Browsers } from "../../people/browser.ts"
import { Forbidden } from "../problems.ts"
import { Peer } from "./Peer.ts"

/** The current request, as far as signing in is concerned. */
export const browserRequest: Effect.Effect<BrowserRequest, never, HttpServerRequest.HttpServerRequest> = Effect.gen(
  function* () {
    const { headers } = yield* HttpServerRequest.HttpServerRequest
    return { headers: new Headers({ ...headers }), peer: yield* Peer }
  }
)

/** Adds a header to the response. */
export const withHeader = (name: string, value: string) =>
  HttpEffect.appendPreResponseHandler((_, response) =>
    Effect.succeed(HttpServerResponse.setHeader(response, name, value))
  )

/** Fails if a page of another site sent the request, which must not sign anybody in. */
export const assertNotCrossSite = (browsers: Browsers, request: BrowserRequest): Effect.Effect<void, Forbidden> =>
  browsers.isCrossSite(request)
    ? Effect.fail(new Forbidden({ detail: "The browser says that this request comes from another site." }))
    : Effect.void
