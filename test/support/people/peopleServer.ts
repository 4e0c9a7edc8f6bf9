import { Effect, Layer, Redacted } from "effect"
import * as LoginBuckets from "../../../layers/inprocess/LoginBuckets.ts"
import * as LocalSecretFile from "../../../layers/local/LocalSecretFile.ts"
import { ADMINISTRATORS, type GroupId } from "../../../src/domain/people.ts"
import type { Environment } from "../../../src/settings/resolve.ts"
import { type Json, startAdmin } from "../../http/api/support.ts"
import { controlPlane } from "../postgres/controlPlane.ts"
import { PASSWORD, type People, peopleOf, runLocally } from "../postgres/peopleProcess.ts"
import { freshDatabase, temporaryFolder } from "../postgres/postgres.ts"

export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** Parsed JSON, otherwise the body as a string. */
  readonly body: Json
}

interface CallOptions {
  /** Sent as JSON, unless it is a string. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

const answerOf = async (response: Response): Promise<Answer> => {
  const content = await response.text()
  const isJson = content !== "" && response.headers.get("content-type")?.includes("json") === true
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(content) : content }
}

/** Somebody who sends requests to a server: a browser with its cookies, or a program with a key. */
export class Client {
  readonly #url: string
  readonly #headers: Readonly<Record<string, string>>
  readonly #cookies = new Map<string, string>()

  constructor(url: string, headers: Readonly<Record<string, string>> = {}) {
    this.#url = url
    this.#headers = headers
  }

  /** The value of a cookie that the server has set. */
  cookie(name: string): string | undefined {
    return this.#cookies.get(name)
  }

  setCookie(name: string, value: string): void {
    this.#cookies.set(name, value)
  }

  async call(method: string, path: string, { body, headers = {} }: CallOptions = {}): Promise<Answer> {
    const cookies = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ")
    const response = await fetch(`${this.#url}${path}`, {
      method,
      redirect: "manual",
      headers: {
        ...(cookies !== "" && { cookie: cookies }),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...this.#headers,
        ...headers
      },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) })
    })
    for (const cookie of response.headers.getSetCookie()) {
      const [pair = ""] = cookie.split(";", 1)
      const [name = "", value = ""] = pair.split("=", 2)
      if (value === "") this.#cookies.delete(name)
      else this.#cookies.set(name, value)
    }
    return answerOf(response)
  }

  /** What a browser sends when the page's form is submitted. */
  submit(path: string, fields: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}) {
    return this.call("POST", path, {
      body: new URLSearchParams(fields).toString(),
      headers: { "content-type": "application/x-www-form-urlencoded", ...headers }
    })
  }
}

export interface PeopleServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  readonly database: Redacted.Redacted<string>
  /** The folder with the secret of local commands. */
  readonly folder: string
  /** A browser, on a page of the server. */
  readonly browser: (headers?: Readonly<Record<string, string>>) => Client
  /** A program without a browser's headers. */
  readonly program: (key?: string) => Client
  /** Runs on the services of another process on the same database. */
  readonly locally: <A, E>(use: (people: People) => Effect.Effect<A, E>) => Promise<A>
}

/** Serves the API on a real port, on a new database in a real Postgres. */
export const startPeopleServer = async (environment: Environment = {}): Promise<PeopleServer> => {
  const database = await freshDatabase()
  return serveDatabase(database, environment)
}

/** Another process on the same database. */
export const serveDatabase = async (
  database: Redacted.Redacted<string>,
  environment: Environment = {}
): Promise<PeopleServer> => {
  const folder = temporaryFolder()
  const control = Layer.mergeAll(
    controlPlane(database, environment),
    LoginBuckets.layer,
    LocalSecretFile.layerIn(Effect.succeed(folder))
  )
  const admin = await startAdmin({ control })
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, listening) => admin.handler(request, listening)
  })
  const url = `http://127.0.0.1:${server.port}`
  return {
    url,
    database,
    folder,
    browser: (headers = {}) => new Client(url, { origin: url, "sec-fetch-site": "same-origin", ...headers }),
    program: (key) => new Client(url, key === undefined ? {} : { authorization: `Bearer ${key}` }),
    locally: (use) => runLocally(Effect.flatMap(peopleOf(database, environment), use)),
    [Symbol.asyncDispose]: async () => {
      await server.stop(true)
      await admin.close()
    }
  }
}

export const ADA = { email: "ada@example.com", name: "Ada Lovelace" } as const

/** Creates the user Ada with `PASSWORD`, by default as an administrator. */
export const createAda = (server: PeopleServer, groups: ReadonlyArray<GroupId> = [ADMINISTRATORS]) =>
  server.locally(({ users }) => users.create({ ...ADA, password: PASSWORD, groups }))

/** Signs a browser in. */
export const signIn = (client: Client, email: string = ADA.email, password = Redacted.value(PASSWORD)) =>
  client.call("POST", "/api/session", { body: { username: email, password } })
