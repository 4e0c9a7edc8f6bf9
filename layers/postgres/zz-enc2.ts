import { records } from "/work/main/bench/batch-encode/records.ts"
import { freshDatabase, openClient } from "/work/main/test/support/postgres.ts"
import { Effect } from "effect"
const B = Number(process.argv[2] ?? 100), N = Number(process.argv[3] ?? 300)
const url = await freshDatabase()
await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
  const sql = yield* openClient(url, 1)
  const run = function*(name: string, text: string, f: (b: any) => any[]) {
    const work = Array.from({ length: N }, (_, i) => records(B, Date.now() + i * 1000))
    for (let i = 0; i < 100; i++) yield* sql.unsafe(text, f(work[i % N]))
    Bun.gc(true)
    const c0 = process.cpuUsage(), t0 = performance.now()
    for (const b of work) yield* sql.unsafe(text, f(b))
    const c = process.cpuUsage(c0), t = performance.now() - t0
    console.log(name.padEnd(30), "user", (c.user / N).toFixed(0), "system", (c.system / N).toFixed(0), "us/batch, wall", (t * 1000 / N).toFixed(0), "per event", ((c.user + c.system) / N / B).toFixed(2))
  }
  yield* run("select 1", "select length($1::text)", () => ["x"])
  yield* run("json length", "select length($1::text)", (b) => [JSON.stringify(b)])
  yield* run("json const", "select length($1::text)", ((s) => () => [s])(JSON.stringify(records(B, Date.now()))))
  yield* run("sleep", "select pg_sleep(0.004 + 0 * length($1::text))", () => ["x"])
  yield* run("sleep json", "select pg_sleep(0.004 + 0 * length($1::text))", (b) => [JSON.stringify(b)])
})))
process.exit(0)
