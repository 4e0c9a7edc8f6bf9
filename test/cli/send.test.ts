import { describe, expect, test } from "bun:test"
import { explainResponse } from "../../src/cli/send.ts"
import { footfall } from "./support.ts"

const ID = "3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f"

const errorBody = (message: string, more: object = {}) => ({ error: { message, ...more } })

describe("explainResponse", () => {
  test.each<[string, number, unknown, Record<string, string>, boolean, string, string | null]>([
    [
      "a stored event",
      200,
      { cache: "x", sessionId: "s1", visitId: "v1" },
      {},
      true,
      "Stored, in the session s1.",
      null
    ],
    ["a bot", 200, { beep: "boop" }, {}, false, "Recognized as a bot and not stored.", "DISABLE_BOT_CHECK"],
    ["another server's 200", 200, "<html>", {}, false, "The response is not from Footfall.", "--url"],
    [
      "an unknown site",
      400,
      errorBody("Website not found."),
      {},
      false,
      "No live site has this id.",
      "footfall sites list"
    ],
    [
      "an invalid payload",
      400,
      errorBody("Bad request", {
        errors: [],
        properties: { payload: { errors: [], properties: { website: { errors: ["Invalid UUID"] } } } }
      }),
      {},
      false,
      "The payload was rejected: payload.website: Invalid UUID.",
      null
    ],
    ["a missing license", 402, { disabled: true }, {}, false, "no valid license", "LICENSE_TOKEN"],
    ["a blocked address", 403, errorBody("Forbidden"), {}, false, "address is blocked", "IGNORE_IP"],
    ["another server's 404", 404, "", {}, false, "no collector", "--url"],
    [
      "an exceeded rate limit",
      429,
      errorBody("slow down"),
      { "retry-after": "7" },
      false,
      "rate limit",
      "Try again in 7 s."
    ],
    [
      "an unavailable storage",
      503,
      errorBody("The event could not be stored; try again."),
      { "retry-after": "5" },
      false,
      "could not be stored",
      "footfall doctor"
    ],
    ["a defect", 500, errorBody("Server error"), {}, false, "Unexpected response with status 500", "log"]
  ])("%s is explained, with what to do about it", (_, status, body, headers, stored, outcome, hint) => {
    const explained = explainResponse({ status, body, headers: new Headers(headers) })
    expect(explained.stored).toBe(stored)
    expect(explained.outcome).toContain(outcome)
    if (hint === null) expect(explained.hint).toBeNull()
    else expect(explained.hint).toContain(hint)
  })
})

test("send posts an event as a tracker would, and its exit code is the outcome", async () => {
  const received: Array<{ readonly path: string; readonly agent: string | null; readonly body: unknown }> = []
  using server = Bun.serve({
    port: 0,
    fetch: async (request) => {
      received.push({
        path: new URL(request.url).pathname,
        agent: request.headers.get("user-agent"),
        body: await request.json()
      })
      return Response.json(received.length === 1 ? { cache: "x", sessionId: "s1", visitId: "v1" } : { beep: "boop" })
    }
  })
  const url = `http://localhost:${server.port}`
  const stored = await footfall(["send", "--site", ID, "--url", `${url}/`, "--name", "signup", "--ip", "81.2.69.142"])
  expect(stored).toEqual({ code: 0, out: "Stored, in the session s1.\n", err: "" })
  expect(received[0]).toEqual({
    path: "/api/send",
    agent: expect.stringContaining("Mozilla/5.0"),
    body: {
      type: "event",
      payload: {
        website: ID,
        hostname: "localhost",
        url: "/footfall-test",
        title: "Test event",
        language: "en-US",
        screen: "1920x1080",
        name: "signup",
        ip: "81.2.69.142"
      }
    }
  })
  const bot = await footfall(["send", "--site", ID, "--url", url, "--user-agent", "curl/8", "--json"])
  expect([bot.code, received[1]?.agent, JSON.parse(bot.out).stored]).toEqual([1, "curl/8", false])
}, 180_000)

test("send reports an unreachable server with its address", async () => {
  const { code, out } = await footfall(["send", "--site", ID, "--url", "http://localhost:1"])
  expect([code, out]).toEqual([
    1,
    expect.stringContaining("http://localhost:1/api/send can't be reached: nothing listens there.")
  ])
})

test("an invalid address, port or site is reported before anything is sent", async () => {
  for (const [args, environment, message] of [
    [["send", "--site", "shop"], {}, "Expected: a site's id, a UUID"],
    [["send", "--site", ID, "--url", "localhost:3000"], {}, "Expected: an http(s) address such as"],
    [["status"], { PORT: "abc" }, 'PORT is "abc"; it accepts a whole number from 0 to 65535.'],
    [["status"], { PORT: "0" }, "pass it as --url"],
    [
      ["send", "--site", ID],
      { PUBLIC_URL: "stats.example" },
      'PUBLIC_URL is "stats.example"; it accepts an http(s) URL.'
    ]
  ] as const) {
    expect(await footfall(args, environment)).toEqual({ code: 2, out: "", err: expect.stringContaining(message) })
  }
}, 180_000)
