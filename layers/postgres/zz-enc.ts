import { records } from "/work/main/bench/batch-encode/records.ts"
import { freshDatabase, openClient } from "/work/main/test/support/postgres.ts"
import { Effect, Result } from "effect"
import { PgTypes } from "@effect/sql-pg"
import { readFileSync } from "node:fs"
const B = Number(process.argv[2] ?? 100), N = Number(process.argv[3] ?? 300)
const EV: [string, string, string][] = [["created_at","createdAt","timestamptz"],["event_id","id","uuid"],["site_id","siteId","uuid"],["session_id","sessionId","uuid"],["visit_id","visitId","uuid"],["event_type","type","int2"],["event_name","name","text"],["tag","tag","text"],["hostname","hostname","text"],["url_path","urlPath","text"],["url_query","urlQuery","text"],["page_title","pageTitle","text"],["referrer_path","referrerPath","text"],["referrer_query","referrerQuery","text"],["referrer_domain","referrerDomain","text"],["utm_source","utmSource","text"],["utm_medium","utmMedium","text"],["utm_campaign","utmCampaign","text"],["utm_content","utmContent","text"],["utm_term","utmTerm","text"],["gclid","gclid","text"],["fbclid","fbclid","text"],["msclkid","msclkid","text"],["ttclid","ttclid","text"],["li_fat_id","liFatId","text"],["twclid","twclid","text"],["lcp","lcp","float8"],["inp","inp","float8"],["fcp","fcp","float8"],["ttfb","ttfb","float8"],["cls","cls","float8"],["revenue","revenue","float8"],["currency","currency","text"]]
const SE: [string, string, string][] = [["session_id","id","uuid"],["site_id","siteId","uuid"],["distinct_id","distinctId","text"],["browser","browser","text"],["os","os","text"],["device","device","text"],["screen","screen","text"],["language","language","text"],["country","country","text"],["region","region","text"],["city","city","text"],["created_at","createdAt","timestamptz"],["first_path","firstPath","text"],["first_referrer_domain","firstReferrerDomain","text"],["first_utm_source","firstUtmSource","text"],["first_utm_medium","firstUtmMedium","text"],["first_utm_campaign","firstUtmCampaign","text"]]
const PR: [string, string, string][] = [["created_at","createdAt","timestamptz"],["event_id","eventId","uuid"],["site_id","siteId","uuid"],["session_id","sessionId","uuid"],["event_name","eventName","text"],["data_key","key","text"],["data_type","type","int2"],["string_value","string","text"],["number_value","number","float8"],["date_value","date","timestamptz"]]
const list = (c: any) => c.map((x: any) => x[0]).join(", ")
const quoted = (c: any) => c.map((x: any) => `"${x[1]}"`).join(", ")
const sel = (c: any, a: string) => c.map((x: any) => x[2] === "timestamptz" ? `to_timestamp(${a}."${x[1]}" / 1000.0)` : x[0] === "first_path" || true ? `${a}."${x[1]}"` : "").join(", ")
const def = (c: any) => c.map((x: any) => `"${x[1]}" ${x[2] === "timestamptz" ? "float8" : x[2]}`).join(", ")
const insS = `INSERT INTO product_analytics_session (${list(SE)}, updated_at)`
const mk = (from: { e: string, s: string, p: string }) => `WITH session AS (${insS} ${from.s} ON CONFLICT (session_id) DO NOTHING), event AS (INSERT INTO product_analytics_event (${list(EV)}) ${from.e} ON CONFLICT DO NOTHING) INSERT INTO product_analytics_event_data (${list(PR)}) ${from.p} ON CONFLICT DO NOTHING`
const variants: Record<string, { sql: string, params: (b: any) => any[] }> = {}
// a: typed arrays
let n = 0
const un = (c: any, extra = "") => `SELECT ${c.map((x: any) => "c." + x[0]).join(", ")}${extra} FROM unnest(${c.map((x: any) => `$${++n}::${x[2]}[]`).join(", ")}) AS c(${list(c)})`
const un_s = un(SE, ", c.created_at"), un_e = un(EV), un_p = un(PR)
const arr = (c: any, rows: any[]) => c.map(([_, k, t]: any) => { const v = new Array(rows.length); for (let i = 0; i < rows.length; i++) { const x = rows[i][k]; v[i] = t === "timestamptz" && x !== null ? new Date(x) : x } return Result.getOrThrow(PgTypes.array(v, (PgTypes.OID as any)[t])) })
const props = (b: any[]) => { const out: any[] = []; for (const r of b) for (const p of r.properties) out.push({ createdAt: r.createdAt, eventId: r.id, siteId: r.siteId, sessionId: r.sessionId, eventName: r.name, ...p }); return out }
const sess = (b: any[]) => b.filter((r) => r.session !== null).map((r) => r.session).sort((x: any, y: any) => x.id < y.id ? -1 : 1)
variants["a typed arrays, unnest"] = { sql: mk({ s: un_s, e: un_e, p: un_p }), params: (b) => [...arr(SE, sess(b)), ...arr(EV, b), ...arr(PR, props(b))] }
// b1 whole records
variants["b1 one json, records as they are"] = { sql: `WITH r AS MATERIALIZED (SELECT * FROM json_to_recordset($1::json) AS r(${def(EV)}, properties json, session json)), session AS (${insS} SELECT ${sel(SE, "s")}, to_timestamp(s."createdAt" / 1000.0) FROM (SELECT session FROM r WHERE session IS NOT NULL) q, json_to_record(q.session) AS s(${def(SE)}) ORDER BY s.id ON CONFLICT (session_id) DO NOTHING), event AS (INSERT INTO product_analytics_event (${list(EV)}) SELECT ${sel(EV, "r")} FROM r ON CONFLICT DO NOTHING) INSERT INTO product_analytics_event_data (${list(PR)}) SELECT to_timestamp(r."createdAt" / 1000.0), r.id, r."siteId", r."sessionId", r.name, p.key, p.type, p.string, p.number, to_timestamp(p.date / 1000.0) FROM r, json_to_recordset(r.properties) AS p(key text, type int2, string text, number float8, date float8) ON CONFLICT DO NOTHING`, params: (b) => [JSON.stringify(b)] }
// b2 three json params flat
variants["b2 three json, flat"] = { sql: mk({ s: `SELECT ${sel(SE, "s")}, to_timestamp(s."createdAt" / 1000.0) FROM json_to_recordset($1::json) AS s(${def(SE)})`, e: `SELECT ${sel(EV, "r")} FROM json_to_recordset($2::json) AS r(${def(EV)})`, p: `SELECT ${sel(PR, "p")} FROM json_to_recordset($3::json) AS p(${def(PR)})` }), params: (b) => [JSON.stringify(sess(b)), JSON.stringify(b), JSON.stringify(props(b))] }
// b3 arrays in jsonb
const idx = (c: any, a: string) => c.map((x: any, i: number) => x[2] === "timestamptz" ? `to_timestamp((${a}->>${i})::float8 / 1000.0)` : x[2] === "text" ? `${a}->>${i}` : `(${a}->>${i})::${x[2]}`).join(", ")
const rowsOf = (c: any, rows: any[]) => rows.map((r) => c.map((x: any) => r[x[1]]))
const rowE = (r: any) => [r.createdAt, r.id, r.siteId, r.sessionId, r.visitId, r.type, r.name, r.tag, r.hostname, r.urlPath, r.urlQuery, r.pageTitle, r.referrerPath, r.referrerQuery, r.referrerDomain, r.utmSource, r.utmMedium, r.utmCampaign, r.utmContent, r.utmTerm, r.gclid, r.fbclid, r.msclkid, r.ttclid, r.liFatId, r.twclid, r.lcp, r.inp, r.fcp, r.ttfb, r.cls, r.revenue, r.currency]
variants["b3 three jsonb, arrays of arrays"] = { sql: mk({ s: `SELECT ${idx(SE, "s")}, to_timestamp((s->>11)::float8 / 1000.0) FROM jsonb_array_elements($1::jsonb) AS s`, e: `SELECT ${idx(EV, "e")} FROM jsonb_array_elements($2::jsonb) AS e`, p: `SELECT ${idx(PR, "p")} FROM jsonb_array_elements($3::jsonb) AS p` }), params: (b) => [JSON.stringify(rowsOf(SE, sess(b))), JSON.stringify(b.map(rowE)), JSON.stringify(rowsOf(PR, props(b)))] }
// b4 jsonb_to_recordset
variants["b4 one jsonb, records as they are"] = { sql: variants["b1 one json, records as they are"]!.sql.replaceAll("json", "jsonb"), params: (b) => [JSON.stringify(b)] }
// c text arrays
const Q = (s: any) => s === null ? "NULL" : /["\\]/.test(s) ? `"${s.replace(/["\\]/g, "\\$&")}"` : `"${s}"`
n = 0
const unt = (c: any, extra = "") => `SELECT ${c.map((x: any) => x[2] === "timestamptz" ? `to_timestamp(c.${x[0]} / 1000.0)` : "c." + x[0]).join(", ")}${extra} FROM unnest(${c.map((x: any) => `$${++n}::${x[2] === "timestamptz" ? "float8" : x[2]}[]`).join(", ")}) AS c(${list(c)})`
const unt_s = unt(SE, ", to_timestamp(c.created_at / 1000.0)"), unt_e = unt(EV), unt_p = unt(PR)
const txt = (c: any, rows: any[]) => c.map(([_, k, t]: any) => { let o = ""; const num = t === "timestamptz" || t === "int2" || t === "float8", id = t === "uuid"; for (const r of rows) { const v = r[k]; o += (o === "" ? "" : ",") + (v === null ? "NULL" : num || id ? v : Q(v)) } return "{" + o + "}" })
variants["c text arrays by hand, unnest"] = { sql: mk({ s: unt_s, e: unt_e, p: unt_p }), params: (b) => [...txt(SE, sess(b)), ...txt(EV, b), ...txt(PR, props(b))] }

const S = (s: any) => [s.id, s.siteId, s.createdAt, s.distinctId, s.browser, s.os, s.device, s.screen, s.language, s.country, s.region, s.city, s.firstPath, s.firstReferrerDomain, s.firstUtmSource, s.firstUtmMedium, s.firstUtmCampaign]
const S_SQL = `${insS.replace(/\(.*/, "")} (session_id, site_id, created_at, updated_at, distinct_id, browser, os, device, screen, language, country, region, city, first_path, first_referrer_domain, first_utm_source, first_utm_medium, first_utm_campaign) SELECT (s->>0)::uuid, (s->>1)::uuid, to_timestamp((s->>2)::float8 / 1000), to_timestamp((s->>2)::float8 / 1000), s->>3, s->>4, s->>5, s->>6, s->>7, s->>8, s->>9, s->>10, s->>11, s->>12, s->>13, s->>14, s->>15, s->>16`
const NAMES = ["created_at","event_id","site_id","session_id","visit_id","event_type","url_path","hostname","page_title","referrer_domain","referrer_path","referrer_query","url_query","event_name","tag","utm_source","utm_medium","utm_campaign","utm_content","utm_term","revenue","currency","gclid","fbclid","msclkid","ttclid","li_fat_id","twclid","lcp","inp","fcp","ttfb","cls"]
const TY: any = { created_at: "ts", event_id: "uuid", site_id: "uuid", session_id: "uuid", visit_id: "uuid", event_type: "int2", lcp: "numeric", inp: "numeric", fcp: "numeric", ttfb: "numeric", cls: "numeric", revenue: "numeric" }
const E_SQL = `INSERT INTO product_analytics_event (${NAMES.join(", ")}) SELECT ${NAMES.map((n, i) => TY[n] === "ts" ? `to_timestamp((e->>${i})::float8 / 1000)` : TY[n] ? `(e->>${i})::${TY[n]}` : `e->>${i}`).join(", ")}`
const E = (r: any) => {
  if (r.type === 5 || r.gclid !== null || r.fbclid !== null || r.msclkid !== null || r.ttclid !== null || r.liFatId !== null || r.twclid !== null)
    return [r.createdAt, r.id, r.siteId, r.sessionId, r.visitId, r.type, r.urlPath, r.hostname, r.pageTitle, r.referrerDomain, r.referrerPath, r.referrerQuery, r.urlQuery, r.name, r.tag, r.utmSource, r.utmMedium, r.utmCampaign, r.utmContent, r.utmTerm, r.revenue, r.currency, r.gclid, r.fbclid, r.msclkid, r.ttclid, r.liFatId, r.twclid, r.lcp, r.inp, r.fcp, r.ttfb, r.cls]
  if (r.utmSource !== null || r.utmMedium !== null || r.utmCampaign !== null || r.utmContent !== null || r.utmTerm !== null || r.revenue !== null)
    return [r.createdAt, r.id, r.siteId, r.sessionId, r.visitId, r.type, r.urlPath, r.hostname, r.pageTitle, r.referrerDomain, r.referrerPath, r.referrerQuery, r.urlQuery, r.name, r.tag, r.utmSource, r.utmMedium, r.utmCampaign, r.utmContent, r.utmTerm, r.revenue, r.currency]
  return [r.createdAt, r.id, r.siteId, r.sessionId, r.visitId, r.type, r.urlPath, r.hostname, r.pageTitle, r.referrerDomain, r.referrerPath, r.referrerQuery, r.urlQuery, r.name, r.tag]
}
const P_SQL = `INSERT INTO product_analytics_event_data (created_at, event_id, site_id, session_id, event_name, data_key, data_type, string_value, number_value, date_value) SELECT to_timestamp((p->>0)::float8 / 1000), (p->>1)::uuid, (p->>2)::uuid, (p->>3)::uuid, p->>4, p->>5, (p->>6)::int2, p->>7, (p->>8)::numeric, to_timestamp((p->>9)::float8 / 1000)`
const hand = (b: any) => { const s: any[] = [], e: any[] = [], p: any[] = []; for (const r of b) { if (r.session !== null) s.push(r.session); e.push(E(r)); for (const q of r.properties) p.push([r.createdAt, r.id, r.siteId, r.sessionId, r.name, q.key, q.type, q.string, q.number, q.date]) } s.sort((x: any, y: any) => x.id < y.id ? -1 : 1); return [s.map(S), e, p] }
const three = (j: string, w: (i: number) => string) => `WITH session AS (${S_SQL} FROM ${j}_array_elements(${w(1)}) AS s ON CONFLICT (session_id) DO NOTHING), event AS (${E_SQL} FROM ${j}_array_elements(${w(2)}) AS e ON CONFLICT DO NOTHING) ${P_SQL} FROM ${j}_array_elements(${w(3)}) AS p ON CONFLICT DO NOTHING`
variants["d1 three jsonb strings"] = { sql: three("jsonb", (i) => `$${i}::jsonb`), params: (b) => hand(b).map((x) => JSON.stringify(x)) }
variants["d2 three jsonb, bytes"] = { sql: three("jsonb", (i) => `convert_from($${i}::bytea, 'UTF8')::jsonb`), params: (b) => hand(b).map((x) => Buffer.from(JSON.stringify(x))) }
variants["d3 one jsonb, bytes"] = { sql: `WITH b AS MATERIALIZED (SELECT convert_from($1::bytea, 'UTF8')::jsonb AS b), ` + three("jsonb", (i) => `(SELECT b->${i - 1} FROM b)`).slice(5), params: (b) => [Buffer.from(JSON.stringify(hand(b)))] }
variants["d4 three json, bytes"] = { sql: three("json", (i) => `convert_from($${i}::bytea, 'UTF8')::json`), params: (b) => hand(b).map((x) => Buffer.from(JSON.stringify(x))) }
const ticks = (pid: number) => { const f = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" "); return (Number(f[11]) + Number(f[12])) * 10_000 }
const only = process.argv[4]
for (const [name, v] of Object.entries(variants)) {
  if (only && !only.split(',').some((o) => name.startsWith(o))) continue
  const url = await freshDatabase()
  await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const sql = yield* openClient(url, 1)
    const now = Date.now()
    yield* sql.unsafe("select product_analytics_ensure_month(now())")
    yield* sql.unsafe("set jit=off")
    if (process.argv[5]) yield* sql.unsafe("set plan_cache_mode=force_generic_plan")
    const warm = Array.from({ length: 100 }, (_, i) => records(B, now - 1e6 + i * 1000)), work = Array.from({ length: N }, (_, i) => records(B, now + i * 1000))
    const pid = (yield* sql.unsafe<{ p: number }>("select pg_backend_pid() as p"))[0]!.p
    for (const b of warm) yield* sql.unsafe(v.sql, v.params(b))
    Bun.gc(true)
    for (const b of work) { v.params(b) }
    for (const b of work) v.params(b); const x0 = process.cpuUsage(); for (const b of work) v.params(b); const x = process.cpuUsage(x0)
    const c0 = process.cpuUsage(), p0 = ticks(pid), t0 = performance.now()
    for (const b of work) yield* sql.unsafe(v.sql, v.params(b))
    const c = process.cpuUsage(c0), p = ticks(pid) - p0, t = performance.now() - t0, E = N * B
    const cnt = yield* sql.unsafe("select (select count(*)::int from product_analytics_event) e, (select count(*)::int from product_analytics_session) s, (select count(*)::int from product_analytics_event_data) d")
    console.log(name.padEnd(36), `batch ${B}: params ${((x.user + x.system) / E).toFixed(2)}, js total ${((c.user + c.system) / E).toFixed(2)} (user ${(c.user / E).toFixed(2)}), postgres ${(p / E).toFixed(1)}, wall ${(t * 1000 / E).toFixed(1)} us/event`, JSON.stringify(cnt[0]))
  })))
}
process.exit(0)
