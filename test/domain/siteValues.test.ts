import { describe, expect, test } from "bun:test"
import { Result } from "effect"
import { acceptSiteValues, type SiteValues } from "../../src/domain/siteValues.ts"

const accepted = (values: SiteValues) => Result.getOrThrow(acceptSiteValues(values))
const rejectedFields = (values: SiteValues) =>
  Result.getOrThrow(Result.flip(acceptSiteValues(values))).map(({ field }) => field)

test("accepted values are normalized", () => {
  expect(
    accepted({
      id: "3F1C2D4E-5B6A-4C7D-8E9F-0A1B2C3D4E5F",
      name: "  Shop  ",
      domains: ["https://Shop.example/", "shop.example", "*.shop.example"],
      rateLimit: { eventsPerSecond: 0.5, burst: 3 },
      timezone: "Europe/Berlin",
      weekStart: "Sunday",
      definitions: " Umami",
      currency: "eur"
    })
  ).toEqual({
    id: "3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f" as never,
    name: "Shop",
    domains: ["shop.example", "*.shop.example"],
    rateLimit: { eventsPerSecond: 0.5, burst: 3 },
    timezone: "Europe/Berlin",
    weekStart: "sunday",
    definitions: "umami",
    currency: "EUR"
  })
})

test("values that were not given stay absent", () => {
  expect(accepted({})).toEqual({})
  expect(accepted({ rateLimit: null })).toEqual({ rateLimit: null })
})

describe("rejecting an invalid value", () => {
  test.each<[string, SiteValues, ReadonlyArray<string>]>([
    ["an id that is not a UUID", { id: "9999" }, ["id"]],
    ["a blank name", { name: " \t" }, ["name"]],
    ["a name of 101 characters", { name: "x".repeat(101) }, ["name"]],
    ["a name with a NUL", { name: "a\u0000b" }, ["name"]],
    ["a name with half of a surrogate pair", { name: "a\ud800b" }, ["name"]],
    ["an invalid second domain", { domains: ["ok.example", "https://x.example/page"] }, ["domains/1"]],
    ["201 domains", { domains: Array.from({ length: 201 }, (_, i) => `d${i}.example`) }, ["domains"]],
    ["a rate of 0", { rateLimit: { eventsPerSecond: 0, burst: 1 } }, ["rateLimit"]],
    ["a burst of one and a half", { rateLimit: { eventsPerSecond: 1, burst: 1.5 } }, ["rateLimit"]],
    ["an unknown time zone", { timezone: "Mars/Olympus" }, ["timezone"]],
    ["an offset as a time zone", { timezone: "+02:00" }, ["timezone"]],
    ["an abbreviation as a time zone", { timezone: "EST" }, ["timezone"]],
    ["a week that starts on Friday", { weekStart: "friday" }, ["weekStart"]],
    ["definitions that do not exist", { definitions: "loose" }, ["definitions"]],
    ["a currency of four letters", { currency: "EURO" }, ["currency"]],
    ["several invalid values", { name: "", timezone: "x", currency: "1" }, ["name", "timezone", "currency"]]
  ])("%s is reported with its field", (_, values, fields) => {
    expect(rejectedFields(values)).toEqual([...fields])
  })
})
