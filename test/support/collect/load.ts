import { expect } from "bun:test"
import { Connection } from "../../../bench/load/Connection.ts"
import { until } from "../eventually.ts"
import type { Database } from "../postgres/database.ts"
import { FIREFOX, SITE } from "./collect.ts"

/** Clients that send one event per request, and clients that send batches. */
const CONNECTIONS = 16
const BATCH_CONNECTIONS = 2
const BATCH_ITEMS = 5
/** Pause between a response and the next request, and before a refused connection is retried. Leaves the machine to others. */
const PAUSE_MS = 4
const RECONNECT_MS = 20
/** A request without a response for this long hangs. */
const HANGING_MS = 30_000
/** How long a test waits for the responses it needs. */
const ANSWERS_MS = 30_000
/** Strings that fill a log: none is longer than what a property keeps. */
const FILLING_PROPERTIES = 40
const FILLING_TEXT = "x".repeat(500)
const DAY_SECONDS = 86_400
/** Some events have properties, which are stored with their event or not at all. */
const PROPERTIES = 2

export interface LoadOptions {
  readonly port: number
  readonly connections?: number
  readonly batchConnections?: number
  readonly batchItems?: number
  /** Clients that identify a visitor, each time with a different attribute; none by default. */
  readonly identityConnections?: number
  readonly pauseMs?: number
  /** Whether each event carries twenty kilobytes of properties. */
  readonly large?: boolean
  /** Each event happened today, or up to this many days before. */
  readonly pastDays?: number
  /** Clients that are asked to close their connection do not reconnect, as with a load balancer that honors it. */
  readonly leaveWhenAsked?: boolean
}

/** A complete response as latin1, and where its body begins. */
interface Answer {
  readonly status: number
  readonly text: string
  readonly bodyAt: number
}

let loads = 0

type Kind = "event" | "batch" | "identity"

/**
 * Clients that send events as fast as they are answered, each with a unique name, in order to look up every acknowledged event. They
 * continue when connections are refused or lost.
 */
export class Load implements AsyncDisposable {
  /** Names of the events that got a 200. */
  readonly stored = new Set<string>()
  /** Keys of the attributes that got a 200. */
  readonly identified = new Set<string>()
  /** Responses by status; a batch's items by their own status. */
  readonly statuses = new Map<number, number>()
  /** Responses that a client must never get: neither 200 nor a 503 with Retry-After. */
  readonly wrong: Array<string> = []
  /** Requests whose connection was lost before the response. */
  unanswered = 0
  /** The longest that a request waited for its response, in ms. */
  slowest = 0
  readonly #port: number
  readonly #pauseMs: number
  readonly #leaveWhenAsked: boolean
  readonly #batchItems: number
  readonly #large: boolean
  readonly #pastDays: number
  /** The prefix of all its events' names. */
  readonly prefix = `${(loads++).toString(36)}${crypto.randomUUID().slice(0, 8)}`
  readonly #clients: Array<Promise<void>> = []
  readonly #connections = new Set<Client>()
  #sent = 0
  #stopping = false

  constructor(options: LoadOptions) {
    this.#port = options.port
    this.#pauseMs = options.pauseMs ?? PAUSE_MS
    this.#leaveWhenAsked = options.leaveWhenAsked ?? false
    this.#batchItems = options.batchItems ?? BATCH_ITEMS
    this.#large = options.large ?? false
    this.#pastDays = options.pastDays ?? 0
    const { connections = CONNECTIONS, batchConnections = BATCH_CONNECTIONS, identityConnections = 0 } = options
    for (let i = 0; i < connections; i++) this.#clients.push(this.#run("event"))
    for (let i = 0; i < batchConnections; i++) this.#clients.push(this.#run("batch"))
    for (let i = 0; i < identityConnections; i++) this.#clients.push(this.#run("identity"))
  }

  count(status: number): number {
    return this.statuses.get(status) ?? 0
  }

  /** Resumes when this many more events have got a 200. */
  stores(events: number): Promise<void> {
    const before = this.stored.size
    return until(
      () =>
        `${events} events answered 200, of which ${this.stored.size - before} were: ${JSON.stringify([...this.statuses])}`,
      () => this.stored.size >= before + events,
      ANSWERS_MS
    )
  }

  /** Resumes when this many more events have got a 503. */
  isRefused(events: number): Promise<void> {
    const before = this.count(503)
    return until(
      () => `${events} events answered 503, of which ${this.count(503) - before} were`,
      () => this.count(503) >= before + events,
      ANSWERS_MS
    )
  }

  /** Stops sending, and resumes when everything sent is answered. */
  async stop(): Promise<void> {
    this.#stopping = true
    const late = Symbol()
    const ended = await Promise.race([Promise.all(this.#clients), Bun.sleep(HANGING_MS).then(() => late)])
    if (ended === late) throw new Error(`${this.#connections.size} requests are not answered`)
  }

  /** Ends what a failed test left running. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true
    for (const client of this.#connections) client.close()
    await Promise.all(this.#clients)
  }

  async #run(kind: Kind): Promise<void> {
    const client = new Client()
    while (!this.#stopping) {
      if (!(await client.ensureOpen(this.#port))) {
        await Bun.sleep(RECONNECT_MS)
        continue
      }
      const length = kind === "batch" ? this.#batchItems : 1
      const names = Array.from({ length }, () => `${this.prefix}-${this.#sent++}`)
      const items = names.map((name, index) => (kind === "identity" ? identity(name) : this.#event(name, index)))
      const begin = performance.now()
      this.#connections.add(client)
      const answer = await (kind === "batch" ? client.post("/api/batch", items) : client.post("/api/send", items[0]!))
      this.#connections.delete(client)
      this.slowest = Math.max(this.slowest, performance.now() - begin)
      if (answer === null) this.unanswered++
      else if (kind === "batch") this.#countItems(names, answer)
      else this.#count(answer.status, names[0]!, answer, kind === "event" ? this.stored : this.identified)
      if (answer !== null && ASKS_TO_CLOSE.test(answer.text)) {
        client.close()
        if (this.#leaveWhenAsked) return
      }
      await Bun.sleep(this.#pauseMs)
    }
    client.close()
  }

  #event(name: string, index: number): object {
    const { payload, type } = event(name, index)
    const daysAgo = Math.floor(Math.random() * (this.#pastDays + 1))
    return {
      type,
      payload: {
        ...payload,
        ...(daysAgo > 0 && { timestamp: Math.floor(Date.now() / 1_000) - daysAgo * DAY_SECONDS }),
        ...(this.#large && { data: { ...payload.data, ...FILLING } })
      }
    }
  }

  #count(status: number, name: string, answer: Answer, stored = this.stored): void {
    this.statuses.set(status, this.count(status) + 1)
    if (status === 200) stored.add(name)
    else if (status !== 503) this.wrong.push(answer.text)
  }

  #countItems(names: ReadonlyArray<string>, answer: Answer): void {
    if (answer.status !== 200 && answer.status !== 503) {
      this.wrong.push(answer.text)
      return
    }
    const { details } = JSON.parse(answer.text.slice(answer.bodyAt)) as {
      // A batch that was rejected as a whole is a single error.
      readonly details?: ReadonlyArray<{ readonly index: number; readonly response: { readonly error: Status } }>
    }
    const failed = new Map(details?.map(({ index, response }) => [index, response.error.status]))
    names.forEach((name, index) => {
      this.#count(failed.get(index) ?? (details === undefined ? answer.status : 200), name, answer)
    })
  }
}

interface Status {
  readonly status: number
}

const event = (name: string, index: number) => ({
  type: "event",
  payload: {
    website: SITE,
    hostname: "fault.test",
    url: `https://fault.test/${name}?utm_source=fault`,
    title: "Fault",
    screen: "1920x1080",
    language: "en",
    name,
    // A new visitor every few events.
    ip: `198.18.${(name.length * 7 + index) % 256}.${Math.floor(Math.random() * 256)}`,
    data: { name, index }
  }
})

const identity = (name: string) => ({
  type: "identify",
  payload: {
    website: SITE,
    hostname: "fault.test",
    url: `https://fault.test/${name}`,
    ip: `198.19.0.${Math.floor(Math.random() * 256)}`,
    data: { [name]: name }
  }
})

const FILLING = Object.fromEntries(
  Array.from({ length: FILLING_PROPERTIES }, (_, index) => [`filling-${index}`, FILLING_TEXT])
)

const ASKS_TO_CLOSE = /\r\nconnection: close\r\n/i
const RETRY_AFTER = /\r\nretry-after: [1-9]\d*\r\n/i

/** One connection, one request at a time. */
class Client {
  #resolve: (answer: Answer | null) => void = () => {}
  #isOpen = false
  readonly #connection = new Connection({
    answered: (_, { bodyAt, status, text }) => this.#resolve({ status, text: text(), bodyAt }),
    closed: () => {
      this.#isOpen = false
      this.#resolve(null)
    }
  })

  async ensureOpen(port: number): Promise<boolean> {
    if (this.#isOpen) return true
    try {
      await this.#connection.open("127.0.0.1", port)
      this.#isOpen = true
    } catch {
      // The server does not listen at the moment.
    }
    return this.#isOpen
  }

  /** The response; null if the connection was lost. A 503 without Retry-After is reported as 500. */
  async post(path: string, body: object): Promise<Answer | null> {
    const text = JSON.stringify(body)
    const head = `POST ${path} HTTP/1.1\r\nhost: fault.test\r\ncontent-type: application/json\r\nuser-agent: ${FIREFOX}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n`
    const request = Buffer.from(head + text)
    const answered = new Promise<Answer | null>((resolve) => {
      this.#resolve = resolve
    })
    this.#connection.send(request, request.length, 0)
    const answer = await answered
    return answer?.status === 503 && !RETRY_AFTER.test(answer.text) ? { ...answer, status: 500 } : answer
  }

  close(): void {
    this.#isOpen = false
    this.#connection.close()
    this.#resolve(null)
  }
}

/**
 * Checks that every response was a 200 or an honest 503, that every event with a 200 is in the database, that none is there twice, and that
 * each has its session and its properties.
 */
export const expectHonest = async (database: Database, ...loads: ReadonlyArray<Load>): Promise<void> => {
  const rows = await database.query<{ name: string; count: number }>(
    "SELECT event_name AS name, count(*)::int AS count FROM product_analytics_event GROUP BY event_name"
  )
  const counts = new Map(rows.map(({ name, count }) => [name, count]))
  const [halves] = await database.query<{ sessionless: number; bare: number }>(
    `SELECT
      count(*) FILTER (WHERE NOT EXISTS (SELECT FROM product_analytics_session AS s WHERE s.session_id = e.session_id))::int
        AS sessionless,
      count(*) FILTER (WHERE (SELECT count(*) FROM product_analytics_event_data AS d WHERE d.event_id = e.event_id) <> $1)::int
        AS bare
    FROM product_analytics_event AS e WHERE hostname = 'fault.test'`,
    [PROPERTIES]
  )
  expect({
    wrong: loads.flatMap(({ wrong }) => wrong),
    lost: loads.flatMap(({ stored }) => [...stored].filter((name) => !counts.has(name))),
    twice: [...counts].filter(([, count]) => count > 1).map(([name]) => name),
    ...halves
  }).toEqual({ wrong: [], lost: [], twice: [], sessionless: 0, bare: 0 })
}
