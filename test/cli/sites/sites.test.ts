import { expect, test } from "bun:test"
import { footfall, onFreshDatabase } from "../support.ts"

const ID = "3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f"

test("a site is created with a given UUID, listed, shown, updated, archived and restored", async () => {
  const run = await onFreshDatabase()
  const created = await run(
    ["sites", "create", "--name", "Shop", "--domain", "https://Shop.example/", "--domain", "localhost", "--id", ID],
    {
      PUBLIC_URL: "https://stats.example"
    }
  )
  expect(created.code).toBe(0)
  expect(created.out).toContain("shop.example, localhost")
  expect(created.out).toContain(
    `<script defer src="https://cloud.umami.is/script.js" data-website-id="${ID}" data-host-url="https://stats.example"></script>`
  )

  expect((await run(["sites", "list"])).out).toMatch(
    new RegExp(`^ID +NAME +DOMAINS +RATE LIMIT +STATE\n${ID} +Shop +shop.example, localhost +default +live\n$`)
  )
  const changed = JSON.parse(
    (
      await run([
        "sites",
        "update",
        ID,
        "--name",
        "Store",
        "--rate",
        "2.5",
        "--any-domain",
        "--definitions",
        "umami",
        "--json"
      ])
    ).out
  )
  expect(changed).toMatchObject({
    name: "Store",
    allowed_domains: [],
    definitions: "umami",
    rate_limit: { events_per_second: 2.5, burst: 5 }
  })

  expect(JSON.parse((await run(["sites", "delete", ID, "--json"])).out).archived).toBe(true)
  expect((await run(["sites", "list"])).out).toContain("There are no live sites")
  expect(JSON.parse((await run(["sites", "list", "--archived", "--json"])).out)).toHaveLength(1)
  expect((await run(["sites", "update", ID, "--restore", "--no-rate"])).out).toMatch(/state +live\nrate limit +default/)
}, 180_000)

test("a failing command reports the reason without a stack trace and exits with a documented code", async () => {
  const run = await onFreshDatabase()
  for (const [args, code, message] of [
    [["sites", "show", "9999"], 1, 'There is no site with the id "9999"'],
    [["sites", "create", "--name", "x", "--domain", "https://a.example/b"], 1, "has a path or query"],
    [["sites", "create"], 2, "Missing required flag: --name"],
    [["sites", "create", "--name", "x", "--burst", "5"], 2, "--burst requires --rate"],
    [["sites", "create", "--name", "x", "--week-start", "friday"], 2, '"monday" | "sunday"'],
    [["sites", "update", ID, "--definitions", "loose"], 2, '"strict" | "umami"'],
    [["sites", "update", ID], 2, "No change was given"],
    [
      ["sites", "update", ID, "--any-domain", "--domain", "a.example"],
      2,
      "--any-domain cannot be combined with --domain"
    ],
    [["sites", "update", ID, "--no-rate", "--rate", "5"], 2, "--no-rate cannot be combined with --rate"],
    [["sights"], 2, "Unknown subcommand"]
  ] as const) {
    const { code: given, out, err } = await run(args)
    expect([given, `${out}${err}`]).toEqual([code, expect.stringContaining(message)])
    expect(`${out}${err}`).not.toMatch(/^\s+at /m)
  }
}, 180_000)

test("an invalid call prints the reason and a pointer to the help on standard error", async () => {
  const { code, out, err } = await footfall(["sites", "create", "--nam", "x", "--json"])
  expect([code, out]).toEqual([2, ""])
  expect(err).toContain("Unrecognized flag: --nam")
  expect(err).toEndWith(
    "\nUsage: footfall sites create [flags]\nRun `bun run footfall sites create --help` for details.\n"
  )
  expect(err.split("\n").length).toBeLessThan(12)
})

test("help goes to standard output, with examples to copy", async () => {
  for (const args of [
    ["--help"],
    ["sites", "create", "--help"],
    ["sites", "update", "--help"],
    ["settings", "set", "--help"],
    ["keys", "create", "--help"],
    ["status", "--help"],
    ["send", "--help"],
    ["doctor", "--help"]
  ]) {
    const { code, out, err } = await footfall(args)
    expect([code, err]).toEqual([0, ""])
    expect(out).toMatch(/EXAMPLES\n(?: {2}# .*\n {2}.*bun run footfall .*\n?\n?)+/)
  }
}, 180_000)
