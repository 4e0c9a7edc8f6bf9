import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import Provider, { type Configuration } from "oidc-provider"

/** Somebody whom the provider knows. */
export interface Account {
  readonly sub: string
  readonly [claim: string]: unknown
}

/** What the provider does when somebody wants to sign in. */
type Decision = Account | "refuse"

/** A real OpenID Connect provider on this machine, in which `signsIn` is signed in without a page to click on. */
export class IdentityProvider implements AsyncDisposable {
  readonly issuer: string
  readonly clientId = "footfall"
  readonly clientSecret = "a secret of the client"
  /** Who signs in next. */
  signsIn: Decision = "refuse"
  /** Answers every request with 500. */
  isBroken = false
  readonly #server: Server
  readonly #accounts = new Map<string, Account>()

  private constructor(server: Server) {
    this.#server = server
    this.issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  /** `footfall`: the address of the server that it may send browsers back to. */
  static async start(footfall: string, configuration: Configuration = {}): Promise<IdentityProvider> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const self = new IdentityProvider(server)
    const provider = self.#makeProvider(footfall, configuration)
    const handle = provider.callback()
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      if (self.isBroken) response.writeHead(500).end("<h1>500</h1>")
      else if (request.url?.startsWith("/interaction/")) void self.#interact(provider, request, response)
      else void handle(request, response)
    })
    return self
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #makeProvider(footfall: string, configuration: Configuration): Provider {
    return new Provider(this.issuer, {
      clients: [
        {
          client_id: this.clientId,
          client_secret: this.clientSecret,
          redirect_uris: [`${footfall}/auth/sso/callback`],
          post_logout_redirect_uris: [`${footfall}/auth/sso/signed-out`],
          token_endpoint_auth_method: "client_secret_post"
        }
      ],
      cookies: { keys: ["a key of the tests"] },
      claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], groups: ["groups"] },
      scopes: ["openid", "email", "profile", "groups"],
      pkce: { required: () => true },
      features: { devInteractions: { enabled: false } },
      interactions: { url: (_, { uid }) => `/interaction/${uid}` },
      findAccount: (_, id) => ({
        accountId: id,
        claims: () => Promise.resolve({ ...this.#accounts.get(id), sub: id })
      }),
      ...configuration
    })
  }

  async #interact(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { params, prompt } = await provider.interactionDetails(request, response)
    const decision = this.signsIn
    if (decision === "refuse") {
      const error = { error: "access_denied", error_description: "not today" }
      return await provider.interactionFinished(request, response, error)
    }
    this.#accounts.set(decision.sub, decision)
    if (prompt.name === "login") {
      return await provider.interactionFinished(request, response, { login: { accountId: decision.sub } })
    }
    const grant = new provider.Grant({ accountId: decision.sub, clientId: String(params["client_id"]) })
    grant.addOIDCScope(String(params["scope"]))
    const grantId = await grant.save()
    return await provider.interactionFinished(
      request,
      response,
      { consent: { grantId } },
      { mergeWithLastSubmission: true }
    )
  }
}
