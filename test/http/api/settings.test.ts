import { expect, test } from "bun:test"
import { startAdmin } from "./support.ts"

test("settings are listed with everything that a form needs, and can be set, read and unset", async () => {
  const admin = await startAdmin()
  const { body: all } = await admin.call("GET", "settings")
  expect(all.find(({ name }: { name: string }) => name === "rate-limit-burst")).toEqual({
    name: "rate-limit-burst",
    variable: "RATE_LIMIT_BURST",
    group: "Collect",
    value: null,
    source: "default",
    note: null,
    default: "twice the rate",
    accepts: "a whole number from 1 to 10000000",
    doc: "Events that a site may send at once before its rate applies.",
    secret: false,
    environment_only: false,
    live: true
  })
  expect((await admin.call("PUT", "settings/rate-limit-burst", { body: { value: "7" } })).body).toMatchObject({
    value: "7",
    source: "table"
  })
  expect((await admin.call("GET", "settings/RATE_LIMIT_BURST")).body.value).toBe("7")
  expect((await admin.call("DELETE", "settings/rate-limit-burst")).body).toMatchObject({
    value: null,
    source: "default"
  })
  await admin.close()
})

test("a rejected setting responds with a status and a reason", async () => {
  const admin = await startAdmin({ environment: { CORS_MAX_AGE: "10" } })
  const set = async (name: string, body: unknown) => {
    const response = await admin.call("PUT", `settings/${name}`, { body })
    return [response.status, response.body.detail]
  }
  expect(await set("nonsense", { value: "1" })).toEqual([404, expect.stringContaining("There is no setting")])
  expect(await set("max-body-bytes", { value: "x" })).toEqual([
    422,
    'MAX_BODY_BYTES is "x"; it accepts a whole number of bytes from 1024 to 104857600.'
  ])
  expect(await set("port", { value: "1" })).toEqual([409, expect.stringContaining("only from the environment")])
  expect(await set("cors-max-age", { value: "60" })).toEqual([
    409,
    expect.stringContaining("overrides the settings table")
  ])
  expect((await set("max-body-bytes", { value: 2048 }))[0]).toBe(400)
  expect(await set("instance-name", { value: "a\ud800b" })).toEqual([422, expect.stringContaining("surrogate pair")])
  expect((await admin.call("GET", "settings/nonsense")).status).toBe(404)
  expect((await admin.call("DELETE", "settings/nonsense")).status).toBe(404)
  await admin.close()
})

test("a secret can be set but never read", async () => {
  const admin = await startAdmin()
  const response = await admin.call("PUT", "settings/license-token", {
    body: { value: "eyJhbGciOiJFZERTQSJ9.e30.c2ln" }
  })
  expect(response.body.value).toBe("•••")
  expect(JSON.stringify((await admin.call("GET", "settings")).body)).not.toContain("eyJ")
  await admin.close()
})
