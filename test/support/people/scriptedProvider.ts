import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose"

/** What the token of a provider says in place of the truth. */
export interface Lie {
  readonly claims?: JWTPayload
  /** Whether it is signed with a key that the provider does not publish. */
  readonly otherKey?: boolean
  readonly isUnsigned?: boolean
}

/** A provider that lies as a test says, which a real one does not do on demand. It answers every request for a code at once. */
export class ScriptedProvider implements AsyncDisposable {
  readonly issuer: string
  lie: Lie = {}
  readonly #server: Bun.Server<undefined>
  readonly #keys: Readonly<Record<"own" | "other", CryptoKey>>

  private constructor(keys: Readonly<Record<"own" | "other", CryptoKey>>, jwk: object) {
    this.#keys = keys
    let nonce = ""
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async (request) => {
        const { pathname, searchParams } = new URL(request.url)
        switch (pathname) {
          case "/.well-known/openid-configuration":
            return Response.json(this.#metadata())
          case "/jwks":
            return Response.json({ keys: [jwk] })
          case "/authorize": {
            nonce = searchParams.get("nonce")!
            const back = new URL(searchParams.get("redirect_uri")!)
            back.search = String(new URLSearchParams({ code: "c", state: searchParams.get("state")! }))
            return Response.redirect(back.href)
          }
          case "/token":
            return Response.json({ access_token: "a", token_type: "Bearer", id_token: await this.#token(nonce) })
          default:
            return new Response(null, { status: 404 })
        }
      }
    })
    this.issuer = `http://127.0.0.1:${this.#server.port}`
  }

  static async start(): Promise<ScriptedProvider> {
    const own = await generateKeyPair("RS256", { extractable: true })
    const other = await generateKeyPair("RS256", { extractable: true })
    const jwk = { ...(await exportJWK(own.publicKey)), kid: "1", alg: "RS256", use: "sig" }
    return new ScriptedProvider({ own: own.privateKey, other: other.privateKey }, jwk)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true)
  }

  #metadata() {
    return {
      issuer: this.issuer,
      authorization_endpoint: `${this.issuer}/authorize`,
      token_endpoint: `${this.issuer}/token`,
      jwks_uri: `${this.issuer}/jwks`,
      response_types_supported: ["code"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["RS256"],
      code_challenge_methods_supported: ["S256"]
    }
  }

  async #token(nonce: string): Promise<string> {
    const now = Math.floor(Date.now() / 1_000)
    const claims = {
      iss: this.issuer,
      sub: "ada-1",
      aud: "footfall",
      iat: now,
      exp: now + 300,
      nonce,
      email: "ada@example.com",
      email_verified: true,
      name: "Ada",
      ...this.lie.claims
    }
    if (this.lie.isUnsigned === true) {
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")
      return `${part({ alg: "none" })}.${part(claims)}.`
    }
    const key = this.lie.otherKey === true ? this.#keys.other : this.#keys.own
    return await new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: "1" }).sign(key)
  }
}
