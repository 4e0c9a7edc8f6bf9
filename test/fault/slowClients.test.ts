import { expect, test } from "bun:test"
import { connect as connectSocket, type Socket } from "node:net"
import { Redacted } from "effect"
import { FIREFOX, SITE } from "../support/collect/collect.ts"
import { expectHonest, Load } from "../support/collect/load.ts"
import { allowing, until } from "../support/eventually.ts"
import { connect, prepareInstance } from "../support/postgres/database.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"
import { Footfall } from "../support/process/footfallProcess.ts"

const BODY_TIMEOUT_SECONDS = 1
/** The sweep's quarter of a second, and the seconds that a busy machine may add. */
const LATE_MS = 4_000

const start = async (all: AsyncDisposableStack) => {
  const url = Redacted.value(await freshDatabase())
  const environment = {
    ...(await prepareInstance(url)),
    BODY_TIMEOUT_SECONDS: String(BODY_TIMEOUT_SECONDS),
    MAX_BODY_BYTES: "65536"
  }
  const collector = all.use(await Footfall.start({ environment }))
  return { collector, database: all.use(await connect(url)) }
}

const open = async (all: AsyncDisposableStack, port: number): Promise<Socket> => {
  const socket = connectSocket(port, "127.0.0.1")
  socket.on("error", () => {})
  all.defer(() => void socket.destroy())
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject))
  return socket
}

const head = (...headers: ReadonlyArray<string>) =>
  ["POST /api/send HTTP/1.1", "host: fault.test", `user-agent: ${FIREFOX}`, ...headers, "", ""].join("\r\n")

const event = (name: string) => JSON.stringify({ type: "event", payload: { website: SITE, url: "/", name } })

/** Requests that the collector is handling, from its metrics. */
const inFlight = async (collector: Footfall): Promise<number> => {
  const text = await (await fetch(`${collector.url}/metrics`)).text()
  return Number(/^footfall_requests_in_flight (\d+)/m.exec(text)?.[1])
}

/** Sends the head, then a piece at each interval until the server closes; returns the response and the time that took. */
const drip = async (all: AsyncDisposableStack, port: number, headers: string, piece: string, everyMs: number) => {
  const socket = await open(all, port)
  const begin = performance.now()
  let answer = ""
  socket.on("data", (bytes) => {
    answer += bytes
  })
  const closed = new Promise((resolve) => socket.once("close", resolve))
  socket.write(headers)
  const timer = setInterval(() => socket.write(piece), everyMs)
  await closed
  clearInterval(timer)
  return { status: Number(answer.slice(9, 12)), took: performance.now() - begin }
}

test("a body that trickles in or never ends gets 408 at its deadline or 413 at its limit, and a closed connection", async () => {
  await using all = new AsyncDisposableStack()
  const { collector } = await start(all)
  const { port } = collector
  const chunk = (size: number) => `${size.toString(16)}\r\n${" ".repeat(size)}\r\n`

  const [byte, chunks, compressed, ...large] = await Promise.all([
    drip(all, port, head("content-length: 1000"), " ", 100),
    drip(all, port, head("transfer-encoding: chunked"), chunk(1), 100),
    drip(all, port, head("content-encoding: gzip", "content-length: 1000"), "\x1f", 100),
    drip(all, port, head("transfer-encoding: chunked"), chunk(16_384), 10),
    drip(all, port, head("transfer-encoding: chunked", "content-encoding: gzip"), chunk(16_384), 10)
  ])
  for (const { status, took } of [byte, chunks, compressed]) {
    expect(status).toBe(408)
    expect(took).toBeGreaterThanOrEqual(BODY_TIMEOUT_SECONDS * 1_000)
    expect(took).toBeLessThan(BODY_TIMEOUT_SECONDS * 1_000 + allowing(LATE_MS))
  }
  expect(large.map(({ status }) => status)).toEqual([413, 413])
  await until("nothing in flight", async () => (await inFlight(collector)) === 0)
}, 180_000)

test("a thousand connections that stay silent, or never finish their headers, do not block other clients", async () => {
  await using all = new AsyncDisposableStack()
  const { collector, database } = await start(all)
  const idle = await Promise.all(Array.from({ length: 1_000 }, () => open(all, collector.port)))
  idle.forEach((socket, i) => {
    if (i % 2 === 0) socket.write("POST /api/send HTTP/1.1\r\nhost: fault.test\r\nx-slow: ")
  })
  let closed = 0
  for (const socket of idle) socket.on("close", () => closed++)

  const load = all.use(new Load({ port: collector.port }))
  await load.stores(1_000)
  await load.stop()
  expect(closed).toBe(0)
  expect([load.unanswered, load.count(503)]).toEqual([0, 0])
  await expectHonest(database, load)

  // A connection that was silent for long still works.
  const [first] = idle.filter((_, i) => i % 2 === 1)
  const answered = new Promise<string>((resolve) => first!.once("data", (bytes) => resolve(String(bytes))))
  const body = event("late")
  first!.write(head(`content-length: ${body.length}`) + body)
  expect(await answered).toStartWith("HTTP/1.1 200")
}, 180_000)

test("clients that disconnect within their body or before their response leave nothing behind", async () => {
  await using all = new AsyncDisposableStack()
  const { collector, database } = await start(all)
  const load = all.use(new Load({ port: collector.port, connections: 4 }))

  const leave = async (request: string, afterMs: number) => {
    const socket = await open(all, collector.port)
    await new Promise((resolve) => socket.write(request, resolve))
    if (afterMs > 0) await Bun.sleep(afterMs)
    socket.destroy()
  }
  for (let round = 0; round < 20; round++) {
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => {
        const body = event(`left-${round}-${i}`)
        const [length, half] = [body.length, body.slice(0, 20)]
        switch (i % 4) {
          case 0:
            return leave(head(`content-length: ${length}`) + half, i % 3)
          case 1:
            return leave(`${head("transfer-encoding: chunked")}14\r\n${half}\r\n`, i % 3)
          case 2:
            return leave(head("content-encoding: gzip", `content-length: ${length}`) + half, i % 3)
          default:
            return leave(head(`content-length: ${length}`) + body, 0)
        }
      })
    )
  }
  await until("nothing in flight", async () => (await inFlight(collector)) <= 6)
  await load.stores(500)
  await load.stop()
  await until("nothing in flight", async () => (await inFlight(collector)) === 0)

  expect(collector.output).not.toContain("Unexpected")
  expect([load.unanswered, load.count(503)]).toEqual([0, 0])
  await expectHonest(database, load)
}, 180_000)
