import { readFileSync, writeFileSync } from "node:fs"
let s = readFileSync("/work/main/layers/postgres/zz-enc.ts", "utf8")
const a = s.indexOf("const only =")
s = s.slice(0, a) + `
const only = process.argv[4]!.split(",")
const R = Number(process.argv[5] ?? 6)
const chosen = Object.entries(variants).filter(([n]) => only.some((o) => n.startsWith(o)))
const best = new Map<string, number[]>()
const url = await freshDatabase()
await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
  const sql = yield* openClient(url, 1)
  yield* sql.unsafe("select product_analytics_ensure_month(now())")
  yield* sql.unsafe("set jit=off")
  const pid = (yield* sql.unsafe<{ p: number }>("select pg_backend_pid() as p"))[0]!.p
  let clock = Date.now() - 1e7
  for (let round = 0; round <= R; round++) for (const [name, v] of chosen) {
    yield* sql.unsafe("truncate product_analytics_event, product_analytics_event_data, product_analytics_session")
    const work = Array.from({ length: N }, () => records(B, clock += 1000))
    Bun.gc(true)
    const c0 = process.cpuUsage(), p0 = ticks(pid), t0 = performance.now()
    for (const b of work) yield* sql.unsafe(v.sql, v.params(b))
    const c = process.cpuUsage(c0), p = ticks(pid) - p0, t = performance.now() - t0, E = N * B
    if (round > 0) { const x = [c.user / E, (c.user + c.system) / E, p / E, t * 1000 / E]; const o = best.get(name); best.set(name, o ? o.map((y, i) => Math.min(y, x[i]!)) : x) }
  }
})))
for (const [n, x] of best) console.log(n.padEnd(36), "user " + x[0]!.toFixed(2), "js " + x[1]!.toFixed(2), "postgres " + x[2]!.toFixed(1), "wall " + x[3]!.toFixed(1))
process.exit(0)
`
writeFileSync("/work/main/layers/postgres/zz-enc4.ts", s)
