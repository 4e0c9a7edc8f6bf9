import { expect, test } from "bun:test"
import type { ReplicaStatus } from "../../../src/ports/Replica.ts"
import { replicaWith, startAdmin, VIEWER } from "./support.ts"

test("the status contains version, gate, storage, warehouse, geo and the source of the secret, but no secret", async () => {
  const admin = await startAdmin({ gate: { _tag: "Licensed", expiresAt: Date.UTC(2027, 0, 1) } })
  const { body } = await admin.call("GET", "status")
  expect(body).toEqual({
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    gate: { state: "licensed", expires_at: "2027-01-01T00:00:00.000Z" },
    storage: {
      backend: "memory",
      ready: true,
      pending_records: 3,
      pending_bytes: 900,
      in_flight: 1,
      last_success_at: "1970-01-01T00:00:01.000Z",
      last_error_at: null,
      last_error: null
    },
    warehouse: { engine: "postgres", ready: true, why: null },
    replica: null,
    geo: { on: true, why: null, database: "GeoLite2-City", built_at: "1970-01-01T00:00:00.000Z" },
    rejected_agents: [],
    secret: { source: "database" }
  })
  await admin.close()
})

test("rejections are listed newest first, per site and without a site, up to the limit", async () => {
  const admin = await startAdmin()
  const { body: site } = await admin.call("POST", "sites", { body: { name: "Shop" } })
  const rejection = { detail: "", hostname: "shop.example", urlPath: "/a", userAgent: "curl/8" }
  admin.rejections.add(site.id, { ...rejection, at: 1_000, reason: "Bot" })
  admin.rejections.add(site.id, { ...rejection, at: 2_000, reason: "OverLimit" })
  admin.rejections.add(null, { ...rejection, at: 3_000, reason: "InvalidPayload" })
  const { body } = await admin.call("GET", `sites/${site.id}/rejections`)
  expect(body).toEqual([
    {
      at: "1970-01-01T00:00:02.000Z",
      reason: "OverLimit",
      detail: "",
      hostname: "shop.example",
      url_path: "/a",
      user_agent: "curl/8",
      hint: null
    },
    {
      at: "1970-01-01T00:00:01.000Z",
      reason: "Bot",
      detail: "",
      hostname: "shop.example",
      url_path: "/a",
      user_agent: "curl/8",
      hint: null
    }
  ])
  expect((await admin.call("GET", `sites/${site.id}/rejections?limit=1`)).body).toHaveLength(1)
  expect((await admin.call("GET", `sites/${site.id}/rejections?limit=0`)).status).toBe(400)
  expect((await admin.call("GET", "rejections")).body.map(({ reason }: { reason: string }) => reason)).toEqual([
    "InvalidPayload"
  ])
  await admin.close()
})

test("a user agent that is often rejected as a bot is named with a hint, in the list and in the status", async () => {
  const admin = await startAdmin()
  const { body: site } = await admin.call("POST", "sites", { body: { name: "Shop" } })
  const rejection = { detail: "", hostname: null, urlPath: null, reason: "Bot" } as const
  for (let at = 0; at < 12; at++) admin.rejections.add(site.id, { ...rejection, at, userAgent: "OurApp/1.0" })
  for (let at = 0; at < 9; at++) admin.rejections.add(site.id, { ...rejection, at, userAgent: "curl/8" })
  for (let at = 0; at < 12; at++) {
    admin.rejections.add(site.id, { ...rejection, at, reason: "OverLimit", userAgent: "Firefox" })
  }
  const { body } = await admin.call("GET", `sites/${site.id}/rejections`)
  const hints = new Map<string, string | null>(
    body.map(({ hint, user_agent }: { hint: string | null; user_agent: string }) => [user_agent, hint])
  )
  expect([hints.get("curl/8"), hints.get("Firefox")]).toEqual([null, null])
  expect(hints.get("OurApp/1.0")).toStartWith(
    "The user agent OurApp/1.0 was rejected as a bot 12 times recently. If this"
  )
  const { body: status } = await admin.call("GET", "status")
  expect(status.rejected_agents).toEqual([{ site_id: site.id, user_agent: "OurApp/1.0", count: 12 }])
  await admin.close()
})

test("the client endpoint explains which IP and location an event would get", async () => {
  const admin = await startAdmin()
  const from = (address: string) => ({ requestIP: () => ({ address }) })
  const forwarded = { "x-forwarded-for": "81.2.69.142" }
  const trusted = await admin.call("GET", "client", { headers: forwarded, server: from("127.0.0.1") })
  expect(trusted.body).toMatchObject({
    peer: "127.0.0.1",
    ip: "81.2.69.142",
    country: "GB",
    region: "GB-ENG",
    city: "London"
  })
  expect(trusted.body.why).toContain("header `x-forwarded-for`")
  const untrusted = await admin.call("GET", "client", { headers: forwarded, server: from("203.0.113.9") })
  expect(untrusted.body).toMatchObject({ peer: "203.0.113.9", ip: "203.0.113.9", country: null })
  expect(untrusted.body.why).toContain("whose headers are not trusted")
  const local = await admin.call("GET", "client", { server: from("127.0.0.1") })
  expect(local.body.why).toContain("local or private")
  await admin.close()
})

const REBUILDING: ReplicaStatus = {
  phase: "rebuilding",
  why: null,
  isUsable: false,
  progress: { rows: 450_000, total: 1_200_000, linked: null },
  asOf: null,
  version: "1",
  bytes: 12_000_000,
  check: { at: Date.UTC(2026, 2, 28), complete: true, differences: 2 }
}

test("the warehouse is the replica while it answers questions, and the app database otherwise", async () => {
  for (const [isUsable, engine] of [
    [true, "replica"],
    [false, "postgres"]
  ] as const) {
    const admin = await startAdmin({ replica: replicaWith({ ...REBUILDING, isUsable }) })
    expect((await admin.call("GET", "status")).body.warehouse).toEqual({ engine, ready: true, why: null })
    await admin.close()
  }
})

test("the status says how far the replica is", async () => {
  const admin = await startAdmin({ replica: replicaWith(REBUILDING) })
  const { body } = await admin.call("GET", "status", { key: VIEWER })
  expect(body).toMatchObject({
    replica: {
      phase: "rebuilding",
      usable: false,
      why: null,
      as_of: null,
      rebuilt_events: 450_000,
      total_events: 1_200_000,
      linked_events: null,
      file_bytes: 12_000_000,
      checked_at: "2026-03-28T00:00:00.000Z",
      differences: 2
    }
  })
  await admin.close()
})
