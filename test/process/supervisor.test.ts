import { afterEach, expect, test } from "bun:test"
import { join } from "node:path"
import { Effect } from "effect"
import { eventually } from "../support/eventually.ts"

const ENTRY = join(import.meta.dir, "..", "support", "process", "fakeCollector.ts")

interface Answer {
  readonly worker: number
  readonly pid: number
}

const started = new Set<Running>()
afterEach(async () => {
  for (const running of started) {
    running.child.kill("SIGKILL")
    await running.child.exited
  }
  started.clear()
})

/** The fake collector under a supervisor with two workers; `output` has everything they print. */
class Running {
  output = ""
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">

  constructor(env: Record<string, string> = {}) {
    this.child = Bun.spawn([process.execPath, ENTRY], {
      env: { ...process.env, WORKERS: "2", PORT: "0", ...env },
      stdio: ["ignore", "pipe", "pipe"]
    })
    for (const stream of [this.child.stdout, this.child.stderr]) void this.#collect(stream)
    started.add(this)
  }

  async #collect(stream: ReadableStream<Uint8Array>) {
    const decoder = new TextDecoder()
    for await (const chunk of stream) this.output += decoder.decode(chunk, { stream: true })
  }

  get url(): string {
    return /workers listen on (\S+)\/\./.exec(this.output)?.[1] ?? ""
  }

  prints(text: string) {
    return until(`printing ${text}`, () => this.output.includes(text))
  }

  ask(): Promise<Answer> {
    return fetch(this.url).then((response) => response.json() as Promise<Answer>)
  }

  /** Fails if nothing answers within five seconds. */
  scrape(): Promise<string> {
    const signal = AbortSignal.timeout(5_000)
    return fetch(`${this.url}/metrics`, { signal, keepalive: false }).then((response) => response.text())
  }

  /** Both workers by number, once each has answered. */
  async pids(): Promise<Map<number, number>> {
    const pids = new Map<number, number>()
    await until("an answer of each worker", async () => {
      const { worker, pid } = await this.ask()
      pids.set(worker, pid)
      return pids.size === 2
    })
    return pids
  }
}

const until = (what: string, holds: () => boolean | Promise<boolean>) => Effect.runPromise(eventually(what, holds))

const start = async (env: Record<string, string> = {}): Promise<Running> => {
  const running = new Running(env)
  await until("listening", () => running.url !== "")
  return running
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test("with PORT=0, all workers share one free port", async () => {
  const running = await start()
  expect([...(await running.pids()).keys()].sort()).toEqual([1, 2])
})

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} lets all workers drain and exits with 0`, async () => {
    const running = await start()
    running.child.kill(signal)
    expect(await running.child.exited).toBe(0)
    expect(running.output).toContain("worker 1 drained")
    expect(running.output).toContain("worker 2 drained")
  })
}

test("a worker that also got the signal, as from a terminal or systemd, is asked to stop only once", async () => {
  const running = await start()
  for (const pid of (await running.pids()).values()) process.kill(pid, "SIGTERM")
  running.child.kill("SIGTERM")
  expect(await running.child.exited).toBe(0)
})

test("a crashed worker is restarted while the other one keeps answering", async () => {
  const running = await start()
  const before = await running.pids()
  process.kill(before.get(1)!, "SIGKILL")
  await running.prints("Worker 1 ended (SIGKILL); restarting it in 100ms.")
  await until("a new worker 1", async () => {
    const { worker, pid } = await running.ask()
    return worker === 1 && pid !== before.get(1)
  })
  expect((await running.pids()).get(2)).toBe(before.get(2)!)
})

test("the pause before a restart grows with each crash in a row", async () => {
  const running = await start()
  for (const wait of ["100ms", "200ms", "400ms"]) {
    const pid = (await running.pids()).get(2)!
    process.kill(pid, "SIGKILL")
    await running.prints(`Worker 2 ended (SIGKILL); restarting it in ${wait}.`)
  }
})

test("a worker that refuses to start stops all workers with exit code 2", async () => {
  const running = new Running({ FAKE: "refuse" })
  expect(await running.child.exited).toBe(2)
  expect(running.output).toContain("Worker 2 refused to start; stopping all workers.")
})

test("the supervisor refuses to start on a port in use, and names it", async () => {
  using taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } })
  const running = new Running({ PORT: String(taken.port) })
  expect(await running.child.exited).toBe(2)
  expect(running.output).toContain(`Port ${taken.port} is in use.`)
})

test("a worker that ends with an error while draining makes the exit code 1", async () => {
  const running = await start({ FAKE: "fail" })
  running.child.kill("SIGTERM")
  expect(await running.child.exited).toBe(1)
})

test("a signal repeated by `bun run` still lets the workers drain", async () => {
  const running = await start()
  for (let i = 0; i < 5; i++) {
    running.child.kill("SIGTERM")
    await Bun.sleep(2)
  }
  expect(await running.child.exited).toBe(0)
  expect(running.output).toContain("worker 1 drained")
})

test("a second signal kills the workers and exits with 1", async () => {
  const running = await start({ FAKE: "linger", SHUTDOWN_MS: "60000" })
  const pids = await running.pids()
  running.child.kill("SIGTERM")
  await running.prints("the workers finish what they accepted")
  // Right after the first one, it would count as the same signal, forwarded by the parent process.
  await until("the end", () => {
    running.child.kill("SIGTERM")
    return running.child.exitCode !== null
  })
  expect(await running.child.exited).toBe(1)
  expect([...pids.values()].map(isAlive)).toEqual([false, false])
})

test("workers that do not drain within the deadline are killed, and the exit code is 1", async () => {
  const running = await start({ FAKE: "linger", SHUTDOWN_MS: "1" })
  running.child.kill("SIGTERM")
  expect(await running.child.exited).toBe(1)
  expect(running.output).toContain("Workers were still busy after 2s 1ms; killing them.")
})

test("when the supervisor is killed, its workers drain and exit", async () => {
  const running = await start()
  running.child.kill("SIGKILL")
  await running.prints("worker 1 drained")
  await running.prints("worker 2 drained")
  await until("no process listens", () =>
    running.ask().then(
      () => false,
      () => true
    )
  )
})

test("a scrape of any worker returns the metrics of all, with one HELP and TYPE per family", async () => {
  const running = await start()
  await running.pids()
  const text = await running.scrape()
  expect(text.match(/# (HELP|TYPE) requests_total/g)).toHaveLength(2)
  expect(text).toMatch(/requests_total\{worker="1"\} [1-9]\d*\nrequests_total\{worker="2"\} [1-9]/)
  expect(text).toContain('footfall_worker_up{worker="1"} 1\nfootfall_worker_up{worker="2"} 1\n')
  expect(text).toContain('footfall_worker_restarts_total{worker="1"} 0\n')
})

test("scrapes at the same time are all answered", async () => {
  const running = await start()
  const texts = await Promise.all(Array.from({ length: 40 }, () => running.scrape()))
  for (const text of texts) expect(text).toContain('footfall_worker_up{worker="2"} 1')
})

test("a worker that does not answer a scrape in time is reported as down, alongside the others' metrics", async () => {
  const running = await start()
  const stopped = (await running.pids()).get(2)!
  process.kill(stopped, "SIGSTOP")
  // The kernel hands some connections to the stopped worker, which never answers them.
  const text = await Promise.any(Array.from({ length: 20 }, () => running.scrape()))
  process.kill(stopped, "SIGCONT")
  expect(text).toContain('footfall_worker_up{worker="1"} 1\nfootfall_worker_up{worker="2"} 0\n')
  expect(text).toMatch(/requests_total\{worker="1"\}/)
})
