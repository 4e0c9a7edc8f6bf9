import { parseJson, stringifyJson } from "../../../../layers/iceberg/json.ts"
import { applyUpdates } from "../../../../layers/iceberg/metadata/applyUpdates.ts"
import { newTableMetadata } from "../../../../layers/iceberg/metadata/newTableMetadata.ts"
import { failedRequirement } from "../../../../layers/iceberg/metadata/requirements.ts"
import type { TableMetadata } from "../../../../layers/iceberg/metadata/TableMetadata.ts"
import type { NewTable, TableChange } from "../../../../layers/iceberg/metadata/TableUpdate.ts"

export interface ReceivedRequest {
  readonly method: string
  readonly path: string
  readonly headers: Headers
  readonly body: string
  /** Of the response. */
  readonly status: number
}

interface StoredTable {
  readonly metadata: TableMetadata
  readonly location: string
}

export interface FakeRestOptions {
  readonly prefix?: string
  readonly separator?: string
  /** `id:secret` of the only OAuth2 client; requests then require a token. */
  readonly credential?: string
  /** Lifetime of tokens, in s. */
  readonly lifetime?: number
  /** Answers the creation of an existing table with 200 and that table. */
  readonly answersExisting?: boolean
  /** `config` and `storage-credentials` of a loaded table. */
  readonly access?: (location: string) => Readonly<Record<string, unknown>>
  readonly warehouse?: string
}

const json = (body: unknown, status = 200): Response =>
  new Response(stringifyJson(body), { status, headers: { "content-type": "application/json" } })

const failure = (status: number, type: string, message: string): Response =>
  json({ error: { type, message, code: status } }, status)

/** A REST catalog as in Iceberg's OpenAPI, with tables in memory and injected faults. */
export class FakeRestCatalog implements AsyncDisposable {
  readonly requests: Array<ReceivedRequest> = []
  /** The status to answer with instead of processing a request. */
  before: (method: string, path: string) => number | undefined = () => undefined
  /** The status to answer with after processing a request, in place of its own response. */
  after: (method: string, path: string) => number | undefined = () => undefined
  readonly tables = new Map<string, StoredTable>()
  readonly #namespaces = new Set<string>()
  readonly #tokens = new Set<string>()
  readonly #options: FakeRestOptions
  readonly #server: Bun.Server<undefined>

  constructor(options: FakeRestOptions = {}) {
    this.#options = options
    this.#server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => this.#answer(request) })
  }

  get port(): number {
    return this.#server.port!
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Invalidates all tokens. */
  revokeTokens(): void {
    this.#tokens.clear()
  }

  of(method: string, path: RegExp): ReadonlyArray<ReceivedRequest> {
    return this.requests.filter((request) => request.method === method && path.test(request.path))
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url)
    const { headers, method } = request
    const body = await request.text()
    const early = this.before(method, pathname)
    const own = early === undefined ? this.#work(method, pathname, headers, body) : failure(early, "Fault", "not now")
    const late = early === undefined ? this.after(method, pathname) : undefined
    const answer = late === undefined ? own : failure(late, "Fault", "processed, but the response is lost")
    this.requests.push({ method, path: pathname + search, headers, body, status: answer.status })
    return answer
  }

  #work(method: string, path: string, headers: Headers, body: string): Response {
    const { credential, lifetime = 3600, prefix } = this.#options
    if (path === "/v1/oauth/tokens") return this.#token(new URLSearchParams(body), lifetime)
    if (credential !== undefined) {
      const token = /^Bearer (.*)$/.exec(headers.get("authorization") ?? "")?.[1] ?? ""
      if (!this.#tokens.has(token)) return failure(401, "NotAuthorizedException", `no such token: ${token}`)
    }
    if (path === "/v1/config") {
      return json({
        defaults: { "default-key": "1" },
        overrides: {
          ...(prefix === undefined ? {} : { prefix }),
          ...(this.#options.separator === undefined ? {} : { "namespace-separator": this.#options.separator })
        }
      })
    }
    const root = prefix === undefined ? "/v1/" : `/v1/${prefix}/`
    if (!path.startsWith(`${root}namespaces`)) return failure(404, "NotFoundException", "no such path")
    const [, namespace, , table] = path.slice(root.length).split("/").map(decodeURIComponent)
    if (namespace === undefined) return this.#createNamespace(body)
    if (table !== undefined) {
      const key = `${namespace}/${table}`
      return method === "GET" ? this.#load(key) : this.#commit(key, body)
    }
    return this.#createTable(namespace, body)
  }

  #token(form: URLSearchParams, lifetime: number): Response {
    if (`${form.get("client_id")}:${form.get("client_secret")}` !== this.#options.credential) {
      return json({ error: "invalid_client", error_description: `wrong: ${form.get("client_secret")}` }, 401)
    }
    const token = crypto.randomUUID()
    this.#tokens.add(token)
    return json({ access_token: token, token_type: "bearer", expires_in: lifetime })
  }

  #createNamespace(body: string): Response {
    const { namespace } = parseJson(body) as { readonly namespace: ReadonlyArray<string> }
    const separator = decodeURIComponent(this.#options.separator ?? "%1F")
    const parent = namespace.slice(0, -1)
    if (parent.length > 0 && !this.#namespaces.has(parent.join(separator))) {
      return failure(404, "NoSuchNamespaceException", "no parent")
    }
    const key = namespace.join(separator)
    if (this.#namespaces.has(key)) return failure(409, "AlreadyExistsException", "exists")
    this.#namespaces.add(key)
    return json({ namespace, properties: {} })
  }

  #createTable(namespace: string, body: string): Response {
    if (!this.#namespaces.has(namespace)) return failure(404, "NoSuchNamespaceException", "no namespace")
    const given = parseJson(body) as { readonly name: string } & Readonly<Record<string, unknown>>
    const key = `${namespace}/${given.name}`
    if (this.tables.has(key)) {
      return this.#options.answersExisting === true ? this.#load(key) : failure(409, "AlreadyExistsException", "exists")
    }
    const table = {
      schema: given["schema"],
      partitionSpec: given["partition-spec"],
      sortOrder: given["write-order"],
      properties: given["properties"]
    } as NewTable
    const location = `${this.#options.warehouse ?? "s3://lake/fake"}/${crypto.randomUUID()}/${given.name}`
    const metadata = newTableMetadata(table, { location, uuid: crypto.randomUUID(), now: Date.now() })
    this.tables.set(key, { metadata, location: `${location}/metadata/00000.metadata.json` })
    return this.#load(key)
  }

  #load(key: string): Response {
    const stored = this.tables.get(key)
    if (stored === undefined) return failure(404, "NoSuchTableException", "no table")
    const { location, metadata } = stored
    return json({ "metadata-location": location, metadata, ...this.#options.access?.(metadata.location) })
  }

  #commit(key: string, body: string): Response {
    const stored = this.tables.get(key)
    if (stored === undefined) return failure(404, "NoSuchTableException", "no table")
    const { requirements, updates } = parseJson(body) as TableChange
    const failed = failedRequirement(stored.metadata, requirements)
    if (failed !== null) return failure(409, "CommitFailedException", failed)
    const metadata = applyUpdates(stored.metadata, updates, { now: Date.now(), metadataLocation: stored.location })
    const version = Number(/(\d+)\.metadata/.exec(stored.location)?.[1]) + 1
    const location = `${metadata.location}/metadata/${String(version).padStart(5, "0")}.metadata.json`
    this.tables.set(key, { metadata, location })
    return json({ "metadata-location": location, metadata })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true)
  }
}
