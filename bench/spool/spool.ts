import { mkdtemp, open, rm } from "node:fs/promises"
import { join } from "node:path"
import { Effect } from "effect"
import { FRAME_HEAD } from "../../layers/spool/frames.ts"
import { openSpool, SEGMENT_BYTES } from "../../layers/spool/Spool.ts"
import { Histogram } from "../load/Histogram.ts"
import type { Case } from "../support/Bench.ts"
import { median, microseconds, milliseconds, perSecond } from "../support/report.ts"
import { ROOT } from "../support/server.ts"

const APPENDERS = 256
/** Size of a record: about that of most events. */
const RECORD_BYTES = 600
/** Different strings to choose from: a single one would stay in the processor's cache. */
const TEXTS = 4_096
/** Interval at which durable records are trimmed, in ms. */
const TRIM_MS = 250
const MAX_BYTES = 4 * 2 ** 30

const texts = Array.from({ length: TEXTS }, (_, index) => {
  const text = JSON.stringify([
    1,
    Bun.randomUUIDv7(),
    { urlPath: `/blog/${index}`, pageTitle: "How we count visitors" }
  ])
  return text.padEnd(RECORD_BYTES, "abcdefghijklmnopqrstuvwxyz")
})

interface Measured {
  readonly perSecond: number
  /** User and system time of all threads, in microseconds per record. */
  readonly cpu: number
  /** In ms. */
  readonly p50: number
  readonly p99: number
}

/** Measures `work`, which returns the number of records it wrote and notes how long each one waited. */
const measured = async (
  work: (latencies: Histogram, until: number) => Promise<number>,
  seconds: number
): Promise<Measured> => {
  const latencies = new Histogram()
  const cpuBefore = process.cpuUsage()
  const began = performance.now()
  const records = await work(latencies, began + seconds * 1_000)
  const took = (performance.now() - began) / 1_000
  const { system, user } = process.cpuUsage(cpuBefore)
  return {
    perSecond: records / took,
    cpu: (system + user) / records,
    p50: latencies.quantile(0.5) / 1_000,
    p99: latencies.quantile(0.99) / 1_000
  }
}

const appending = (folder: string, warmUpSeconds: number, seconds: number): Promise<Measured> =>
  Effect.gen(function* () {
    const spool = yield* openSpool({ folder, maxPending: 20_000, maxBytes: MAX_BYTES, timeoutMs: 10_000 })
    const run = (latencies: Histogram, until: number) => {
      let count = 0
      const append = Effect.gen(function* () {
        for (let now = performance.now(); now < until; ) {
          yield* spool.append(texts[count++ % TEXTS]!)
          const answered = performance.now()
          latencies.record((answered - now) * 1_000)
          now = answered
        }
      })
      return Effect.runPromise(
        Effect.all(
          Array.from({ length: APPENDERS }, () => append),
          { concurrency: "unbounded", discard: true }
        ).pipe(Effect.map(() => count))
      )
    }
    yield* Effect.suspend(() => spool.trim(spool.durable())).pipe(
      Effect.delay(TRIM_MS),
      Effect.forever,
      Effect.forkScoped
    )
    yield* Effect.promise(() => measured(run, warmUpSeconds))
    return yield* Effect.promise(() => measured(run, seconds))
  }).pipe(Effect.scoped, Effect.runPromise)

/** Groups as large as the spool's when all appenders wait for it. */
const GROUP = Buffer.from(texts.slice(0, APPENDERS).join("\0".repeat(FRAME_HEAD)))

const floor = async (folder: string, seconds: number): Promise<Measured> => {
  const file = await open(join(folder, "floor"), "w")
  try {
    await file.writeFile(Buffer.alloc(SEGMENT_BYTES))
    await file.sync()
    return await measured(async (latencies, until) => {
      let records = 0
      let offset = 0
      for (let now = performance.now(); now < until; ) {
        await file.write(GROUP, 0, GROUP.length, offset)
        await file.datasync()
        offset = offset + 2 * GROUP.length > SEGMENT_BYTES ? 0 : offset + GROUP.length
        records += APPENDERS
        const synced = performance.now()
        latencies.record((synced - now) * 1_000)
        now = synced
      }
      return records
    }, seconds)
  } finally {
    await file.close()
  }
}

export const spool: Case = async ({ short }) => {
  const [warmUpSeconds, seconds] = short ? [1, 2] : [3, 8]
  const rounds = short ? 1 : 3
  const floors: Array<Measured> = []
  const ours: Array<Measured> = []
  // The system's temporary folder may be in memory, where nothing is durable.
  const folder = await mkdtemp(join(ROOT, ".footfall-bench-"))
  try {
    for (let round = 0; round < rounds; round++) {
      floors.push(await floor(folder, seconds))
      ours.push(await appending(join(folder, String(round)), warmUpSeconds, seconds))
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  const of = (all: ReadonlyArray<Measured>, what: keyof Measured) => median(all.map((one) => one[what]))
  const [rate, cpu, p50, p99] = [of(ours, "perSecond"), of(ours, "cpu"), of(ours, "p50"), of(ours, "p99")]
  return [
    {
      what: `spool: appends of ${RECORD_BYTES} bytes, ${APPENDERS} at a time`,
      value: perSecond(rate),
      against: `raw write and fdatasync: ${perSecond(of(floors, "perSecond"))}`,
      ratio: rate / of(floors, "perSecond"),
      goal: "at least 150,000/s",
      met: rate >= 150_000
    },
    {
      what: "spool: CPU per append, including the preparation of files",
      value: microseconds(cpu),
      against: `raw: ${microseconds(of(floors, "cpu"))}`,
      ratio: cpu / of(floors, "cpu"),
      goal: "at most 10 us",
      met: cpu <= 10
    },
    {
      what: "spool: an append, p50 and p99",
      value: `${milliseconds(p50)} and ${milliseconds(p99)}`,
      against: `raw: ${milliseconds(of(floors, "p50"))} and ${milliseconds(of(floors, "p99"))}`,
      ratio: p50 / of(floors, "p50"),
      goal: "none",
      met: true
    }
  ]
}
