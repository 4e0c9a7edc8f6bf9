import { expect } from "bun:test"
import { type Answer, Connection } from "../../bench/load/Connection.ts"
import { FIREFOX, SITE } from "./collect.ts"
import type { Database } from "./database.ts"
import { until } from "./eventually.ts"

/** Clients that send one event a request, and such that send batches. */
const CONNECTIONS = 16
const BATCH_CONNECTIONS = 2
const BATCH_ITEMS = 5
/** Between an answer and the next request, and before a refused connection is tried again. Leaves the machine to others. */
const PAUSE_MS = 4
const RECONNECT_MS = 20
/** A request without an answer for this long hangs. */
const HANGING_MS = 30_000
/** How long a test waits for answers of a kind. */
const ANSWERS_MS = 30_000
/** Events of each have properties, which are stored with their event or not at all. */
const PROPERTIES = 2

export interface LoadOptions {
  readonly port: number
  readonly connections?: number
  readonly batchConnections?: number
  readonly batchItems?: number
  readonly pauseMs?: number
  /** Clients that are asked to close their connection do not come back, as with a load balancer that goes by it. */
  readonly leaveWhenAsked?: boolean
}

let loads = 0

/**
 * Clients that send events as fast as they are answered, each event with a name of its own, so that what was answered can be
 * looked up. They go on when connections are refused or lost.
 */
export class Load implements AsyncDisposable {
  /** Names of the events that were answered 200. */
  readonly stored = new Set<string>()
  /** Answers by status; a batch's items by their own. */
  readonly statuses = new Map<number, number>()
  /** Answers that a client may never get: neither 200 nor a 503 that says when to come back. */
  readonly wrong: Array<string> = []
  /** Requests whose connection was lost before the answer. */
  unanswered = 0
  /** The longest that a request waited for its answer, in ms. */
  slowest = 0
  readonly #port: number
  readonly #pauseMs: number
  readonly #leaveWhenAsked: boolean
  readonly #prefix = `${(loads++).toString(36)}${crypto.randomUUID().slice(0, 8)}`
  readonly #clients: Array<Promise<void>> = []
  readonly #connections = new Set<Client>()
  #sent = 0
  #stopping = false

  constructor(options: LoadOptions) {
    this.#port = options.port
    this.#pauseMs = options.pauseMs ?? PAUSE_MS
    this.#leaveWhenAsked = options.leaveWhenAsked ?? false
    const { connections = CONNECTIONS, batchConnections = BATCH_CONNECTIONS, batchItems = BATCH_ITEMS } = options
    for (let i = 0; i < connections; i++) this.#clients.push(this.#run(null))
    for (let i = 0; i < batchConnections; i++) this.#clients.push(this.#run(batchItems))
  }

  count(status: number): number {
    return this.statuses.get(status) ?? 0
  }

  /** Resumes when so many more events were answered 200. */
  stores(events: number): Promise<void> {
    const before = this.stored.size
    return until(
      () =>
        `${events} events answered 200, of which ${this.stored.size - before} were: ${JSON.stringify([...this.statuses])}`,
      () => this.stored.size >= before + events,
      ANSWERS_MS
    )
  }

  /** Resumes when so many more events were answered 503. */
  isRefused(events: number): Promise<void> {
    const before = this.count(503)
    return until(
      () => `${events} events answered 503, of which ${this.count(503) - before} were`,
      () => this.count(503) >= before + events,
      ANSWERS_MS
    )
  }

  /** Sends no more, and resumes when everything sent is answered. */
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

  async #run(batchItems: number | null): Promise<void> {
    const client = new Client()
    while (!this.#stopping) {
      if (!(await client.ensureOpen(this.#port))) {
        await Bun.sleep(RECONNECT_MS)
        continue
      }
      const names = Array.from({ length: batchItems ?? 1 }, () => `${this.#prefix}-${this.#sent++}`)
      const events = names.map(event)
      const begin = performance.now()
      this.#connections.add(client)
      const answer = await client.post(
        batchItems === null ? "/api/send" : "/api/batch",
        batchItems === null ? events[0]! : events
      )
      this.#connections.delete(client)
      this.slowest = Math.max(this.slowest, performance.now() - begin)
      if (answer === null) this.unanswered++
      else if (batchItems === null) this.#count(answer.status, names[0]!, answer)
      else this.#countItems(names, answer)
      if (answer !== null && ASKS_TO_CLOSE.test(answer.text)) {
        client.close()
        if (this.#leaveWhenAsked) return
      }
      await Bun.sleep(this.#pauseMs)
    }
    client.close()
  }

  #count(status: number, name: string, answer: Answer): void {
    this.statuses.set(status, this.count(status) + 1)
    if (status === 200) this.stored.add(name)
    else if (status !== 503) this.wrong.push(answer.text)
  }

  #countItems(names: ReadonlyArray<string>, answer: Answer): void {
    if (answer.status !== 200 && answer.status !== 503) {
      this.wrong.push(answer.text)
      return
    }
    const { details } = JSON.parse(answer.text.slice(answer.bodyAt)) as {
      // A batch that never became one is a single error.
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

const ASKS_TO_CLOSE = /\r\nconnection: close\r\n/i
const RETRY_AFTER = /\r\nretry-after: [1-9]\d*\r\n/i

/** One connection, one request at a time. */
class Client {
  #resolve: (answer: Answer | null) => void = () => {}
  #isOpen = false
  readonly #connection = new Connection({
    answered: (_, answer) => this.#resolve(answer),
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
      // Nobody listens, for now.
    }
    return this.#isOpen
  }

  /** The answer; null when the connection was lost. A 503 that does not say when to come back is told as 500. */
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
 * Every answer was a 200 or an honest 503; every event that was answered 200 is in the database; none is there twice, with 200
 * or without; each has its session and its properties.
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
