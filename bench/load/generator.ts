import { type Answer, Connection } from "./Connection.ts"
import { type LoadConfig, type LoadResult, MEASURING } from "./config.ts"
import { Histogram } from "./Histogram.ts"
import { batch, event, type Visitor, visitor } from "./mix.ts"
import { seeded } from "./random.ts"

/** Different events: more than any cache of bodies could hold by accident, yet quick to build. */
const EVENTS = 4_096
/** Maximum head and body of a single event. */
const REQUEST_BYTES = 8_192
/** With a fixed rate, requests that may wait for a connection; beyond that the server is not keeping up anyway. */
const MOST_WAITING = 1_000_000
/** A run without further responses ends this long after its time. */
const STUCK_AFTER_MS = 30_000
/** Pause before a lost connection is reopened, so that a stopped server is not contacted in a tight loop. */
const REOPEN_AFTER_MS = 20

const config = JSON.parse(process.argv[2] ?? "") as LoadConfig
const random = seeded(20_261_123)
const host = `${config.hostname}:${config.port}`

const events = Array.from({ length: EVENTS }, () => JSON.stringify(event(random, config.website)))
const withLength = (body: string) => `\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
const bodies = events.map((body) => Buffer.from(withLength(body)))
const batchHead = `POST ${config.path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: example-backend/1.0\r\nContent-Type: application/json`

/** A connection's visitor, whose head is in the request together with the token that the server issued. */
interface Seat {
  visitor: Visitor
  hasToken: boolean
  readonly request: Buffer
  /** Bytes of the head, including the token. */
  head: number
}

const seats = new Map<Connection, Seat>()

const take = (seat: Seat): void => {
  seat.visitor = visitor(random, config.path, host)
  seat.hasToken = false
  seat.head = seat.request.write(seat.visitor.head, 0, "latin1")
}

const histogram = new Histogram()
let statuses: Record<string, number> = {}
let lost = 0
let mostWaiting = 0
let measuring = false
let answeredWhileMeasuring = 0
let stopped = false

const send = (connection: Connection, intendedAt: number) => {
  if (config.batchItems !== null) {
    const request = Buffer.from(batchHead + withLength(batch(random, events, config.batchItems)))
    return connection.send(request, request.length, intendedAt)
  }
  const seat = seats.get(connection)!
  if (seat.visitor.events === 0) take(seat)
  seat.visitor.events--
  const body = random.pick(bodies)
  seat.request.set(body, seat.head)
  connection.send(seat.request, seat.head + body.length, intendedAt)
}

/** With a fixed rate: connections without a request, and intended times without a connection. */
const idle: Array<Connection> = []
const waiting: Array<number> = []
let waitingFrom = 0

const next = (connection: Connection) => {
  if (stopped) return
  if (config.ratePerSecond === null) return send(connection, performance.now())
  const due = waiting[waitingFrom]
  if (due === undefined) return void idle.push(connection)
  waitingFrom++
  if (waitingFrom === waiting.length) {
    waiting.length = 0
    waitingFrom = 0
  }
  send(connection, due)
}

const TOKEN = '"cache":"'
const answered = (connection: Connection, { bodyAt, status, text }: Answer) => {
  if (measuring) {
    statuses[status] = (statuses[status] ?? 0) + 1
    histogram.record((performance.now() - connection.intendedAt) * 1_000)
    answeredWhileMeasuring++
    if (answeredWhileMeasuring === config.requests) finish()
  }
  if (status === 200 && config.batchItems === null) {
    const seat = seats.get(connection)!
    if (!seat.hasToken) {
      const whole = text()
      const at = whole.indexOf(TOKEN, bodyAt)
      if (at !== -1) {
        seat.hasToken = true
        const from = at + TOKEN.length
        seat.head += seat.request.write(whole.slice(from, whole.indexOf('"', from)), seat.head, "latin1")
      }
    }
  }
  next(connection)
}

const open = (connection: Connection): void => {
  if (stopped) return
  connection.open(config.hostname, config.port).then(
    () => next(connection),
    () => setTimeout(open, REOPEN_AFTER_MS, connection)
  )
}

const handlers = {
  answered,
  closed: (connection: Connection, inFlight: boolean) => {
    if (inFlight && measuring) lost++
    const at = idle.indexOf(connection)
    if (at !== -1) idle.splice(at, 1)
    setTimeout(open, REOPEN_AFTER_MS, connection)
  }
}

let startedAt = 0
let cpuAtStart = process.cpuUsage()
let end: () => void = () => {}
const ended = new Promise<void>((resolve) => {
  end = resolve
})
let seconds = 0
let cpu = 0
const finish = () => {
  if (stopped) return
  stopped = true
  measuring = false
  seconds = (performance.now() - startedAt) / 1_000
  const used = process.cpuUsage(cpuAtStart)
  cpu = (used.user + used.system) / 1e6 / seconds
  end()
}

for (let i = 0; i < config.connections; i++) {
  const connection = new Connection(handlers)
  const seat = { visitor: { head: "", events: 0 }, hasToken: false, request: Buffer.alloc(REQUEST_BYTES), head: 0 }
  seats.set(connection, seat)
  open(connection)
}

if (config.ratePerSecond !== null) {
  const rate = config.ratePerSecond / 1_000
  const from = performance.now()
  let issued = 0
  const ticking = setInterval(() => {
    if (stopped) return clearInterval(ticking)
    for (const due = Math.floor((performance.now() - from) * rate); issued < due; issued++) {
      const intendedAt = from + issued / rate
      const connection = idle.pop()
      if (connection !== undefined) send(connection, intendedAt)
      else if (waiting.length < MOST_WAITING) waiting.push(intendedAt)
    }
    if (measuring) mostWaiting = Math.max(mostWaiting, waiting.length - waitingFrom)
  }, 1)
}

await Bun.sleep(config.warmUpSeconds * 1_000)
statuses = {}
console.log(MEASURING)
startedAt = performance.now()
cpuAtStart = process.cpuUsage()
measuring = true
const time = setTimeout(
  finish,
  config.requests === null ? config.seconds * 1_000 : config.requests * 10 + STUCK_AFTER_MS
)
await ended
clearTimeout(time)

const inMs = (part: number) => histogram.quantile(part) / 1_000
const result: LoadResult = {
  seconds,
  statuses,
  lost,
  okPerSecond: (statuses["200"] ?? 0) / seconds,
  latency: { p50: inMs(0.5), p99: inMs(0.99), p999: inMs(0.999), max: histogram.max / 1_000 },
  mostWaiting,
  ownCpu: cpu
}
console.log(JSON.stringify(result))
process.exit(0)
