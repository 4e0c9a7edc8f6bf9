import { expect, test } from "bun:test"
import { PREFIX } from "../../src/http/shared/prefix.ts"
import { footfall } from "./support.ts"

test("status prints one line per value, numbers those of a list, and has no line for what is null or an empty list", async () => {
  let agents: ReadonlyArray<object> = []
  using server = Bun.serve({
    port: 0,
    routes: {
      "/api/health": Response.json({ ok: true }),
      [`${PREFIX}/status`]: () =>
        Response.json({ geo: { on: false, database: null }, rejected_agents: agents, secret: { source: "database" } })
    }
  })
  const url = `http://localhost:${server.port}`
  const status = () => footfall(["status", "--url", url, "--key", "ff_test"])
  expect(await status()).toEqual({
    code: 0,
    err: "",
    out: `server         ${url}
ready          yes: events are stored
geo on         false
secret source  database
`
  })
  agents = [
    { site_id: null, user_agent: "OurApp/1.0", count: 12 },
    { site_id: "3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f", user_agent: "curl/8", count: 11 }
  ]
  expect((await status()).out).toBe(`server                        ${url}
ready                         yes: events are stored
geo on                        false
rejected agents 1 user agent  OurApp/1.0
rejected agents 1 count       12
rejected agents 2 site id     3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f
rejected agents 2 user agent  curl/8
rejected agents 2 count       11
secret source                 database
`)
}, 60_000)
