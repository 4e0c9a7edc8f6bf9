import { afterAll, beforeAll, expect, test } from "bun:test"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startCollect } from "../../support/collect/collect.ts"

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "footfall-tracker-"))
})
afterAll(() => rm(folder, { recursive: true }))

const get = (url: string, headers: Record<string, string> = {}) => fetch(url, { headers, redirect: "manual" })

test.each(["/script.js", "/stats.js", "/stats", "/assets/s.js", "/script.js/"])(
  "without a copy of the tracker, %s redirects to TRACKER_SCRIPT_URL",
  async (path) => {
    const collect = await startCollect({
      environment: { TRACKER_SCRIPT_NAME: "stats, /assets/s.js", TRACKER_SCRIPT_URL: "https://cdn.example/t.js" }
    })
    const response = await get(collect.url + path)
    expect([response.status, response.headers.get("location")]).toEqual([302, "https://cdn.example/t.js"])
    await collect.stop()
  }
)

test("the operator's copy is served with its type, an ETag and the path that it posts to", async () => {
  const file = join(folder, "tracker.js")
  await writeFile(file, 'fetch(host + "/api/send")')
  const collect = await startCollect({
    environment: { TRACKER_SCRIPT_FILE: file, COLLECT_API_ENDPOINT: "/x/collect", TRACKER_SCRIPT_NAME: "t.js" }
  })
  const response = await get(`${collect.url}/t.js`)
  expect(response.status).toBe(200)
  expect(await response.text()).toBe('fetch(host + "/x/collect")')
  expect(Object.fromEntries(response.headers)).toMatchObject({
    "access-control-allow-origin": "*",
    "cache-control": "public, max-age=86400, must-revalidate",
    "content-type": "application/javascript; charset=utf-8"
  })
  const etag = response.headers.get("etag")!
  expect((await get(`${collect.url}/script.js`, { "if-none-match": `W/${etag}` })).status).toBe(304)

  await writeFile(file, "new version")
  expect(await (await get(`${collect.url}/script.js`, { "if-none-match": etag })).text()).toBe("new version")
  await rm(file)
  expect(await (await get(`${collect.url}/script.js`)).text()).toBe("new version")
  const posted = await fetch(`${collect.url}/script.js`, { method: "POST" })
  expect([posted.status, posted.headers.get("content-type")]).toEqual([405, "application/problem+json"])
  expect(await posted.json()).toMatchObject({ detail: "This path supports GET, HEAD.", instance: "/script.js" })
  await collect.stop()
})

test("a server does not start without the file that TRACKER_SCRIPT_FILE names", async () => {
  const file = join(folder, "missing.js")
  await expect(startCollect({ environment: { TRACKER_SCRIPT_FILE: file } })).rejects.toThrow(
    `TRACKER_SCRIPT_FILE is ${file}, which cannot be read (ENOENT).`
  )
})

test("a tracker's name cannot take the path of another endpoint", async () => {
  const collect = await startCollect({ environment: { TRACKER_SCRIPT_NAME: "metrics, api/send" } })
  expect((await get(`${collect.url}/metrics`)).headers.get("content-type")).toStartWith("text/plain")
  expect((await get(`${collect.url}/api/send`)).status).toBe(405)
  await collect.stop()
})
