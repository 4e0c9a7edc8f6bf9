/**
 * A proxy for a Glue that accepts every update. It enforces Glue's guarantee: an update that names a version of the table is
 * accepted only if that is the current one. Updates run one at a time.
 */
export class StrictGlue implements AsyncDisposable {
  /** Updates refused because of a stale version. */
  refused = 0
  readonly #server: Bun.Server<undefined>
  #last: Promise<unknown> = Promise.resolve()

  constructor(to: string) {
    const forward = async (request: Request, target: string, body: string): Promise<Response> => {
      const headers = new Headers(request.headers)
      headers.set("x-amz-target", target)
      headers.delete("host")
      headers.delete("content-length")
      const response = await fetch(to, { method: "POST", headers, body })
      return new Response(await response.text(), {
        status: response.status,
        headers: { "content-type": response.headers.get("content-type") ?? "application/x-amz-json-1.1" }
      })
    }
    const update = async (request: Request, target: string, body: string): Promise<Response> => {
      const { DatabaseName, TableInput, VersionId } = JSON.parse(body)
      const current = await forward(
        request,
        "AWSGlue.GetTable",
        JSON.stringify({ DatabaseName, Name: TableInput.Name })
      )
      if (current.ok && ((await current.json()) as { Table: { VersionId: string } }).Table.VersionId !== VersionId) {
        this.refused++
        return Response.json(
          {
            __type: "ConcurrentModificationException",
            Message: "Update table failed due to concurrent modifications."
          },
          { status: 400 }
        )
      }
      return forward(request, target, body)
    }
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async (request) => {
        const target = request.headers.get("x-amz-target") ?? ""
        const body = await request.text()
        if (target !== "AWSGlue.UpdateTable") return forward(request, target, body)
        const response = this.#last.then(() => update(request, target, body))
        this.#last = response.catch(() => undefined)
        return response
      }
    })
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true)
  }
}
