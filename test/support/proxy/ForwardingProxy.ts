/** A request that came by, and its answer. */
export interface Forwarded {
  readonly method: string
  readonly path: string
  readonly headers: Headers
  readonly body: string
  readonly status: number
  readonly answer: string
}

/** What stands before a collector: forwards everything and says in `X-Forwarded-For` who asked. Keeps what came by. */
export class ForwardingProxy implements AsyncDisposable {
  readonly requests: Array<Forwarded> = []
  readonly #server: Bun.Server<undefined>

  constructor(options: { readonly to: string; readonly clientAddress: string }) {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async (request) => {
        const { pathname, search } = new URL(request.url)
        const body = await request.text()
        const headers = new Headers(request.headers)
        headers.set("x-forwarded-for", options.clientAddress)
        const response = await fetch(options.to + pathname + search, {
          method: request.method,
          headers,
          redirect: "manual",
          ...(body !== "" && { body })
        })
        const answer = await response.text()
        this.requests.push({
          method: request.method,
          path: pathname,
          headers: request.headers,
          body,
          status: response.status,
          answer
        })
        const answered = new Headers(response.headers)
        for (const name of ["content-encoding", "content-length", "connection"]) answered.delete(name)
        return new Response(answer === "" ? null : answer, { status: response.status, headers: answered })
      }
    })
  }

  get port(): number {
    return this.#server.port!
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  of(method: string): ReadonlyArray<Forwarded> {
    return this.requests.filter((request) => request.method === method)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true)
  }
}
