import { Effect, type Redacted } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { AdminApi } from "./AdminApi.ts"

export interface ClientOptions {
  /** The server's address, with its base path if it has one, such as `https://stats.example.com`. */
  readonly url: string
  readonly key: Redacted.Redacted<string>
}

/**
 * A typed client of the whole API: `client.dataset.ask({ payload: question, query: {} })`. Problems are typed errors, such as `NotFound`.
 *
 * ```ts
 * const client = yield* makeApiClient({ url: "https://stats.example.com", key: Redacted.make("ff_…") })
 * const sites = yield* client.sites.list({ query: {} })
 * ```
 */
export const makeApiClient = ({ key, url }: ClientOptions) =>
  HttpApiClient.make(AdminApi, {
    baseUrl: url,
    transformClient: HttpClient.mapRequest(HttpClientRequest.bearerToken(key))
  }).pipe(Effect.provide(FetchHttpClient.layer))
