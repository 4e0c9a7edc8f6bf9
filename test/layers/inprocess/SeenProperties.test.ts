import { describe, expect, test } from "bun:test"
import { MAX_PROPERTIES, SeenProperties } from "../../../layers/inprocess/SeenProperties.ts"
import { DataType, type Property } from "../../../src/domain/Event.ts"
import { SiteId } from "../../../src/domain/ids.ts"
import { event, identity, NOW, session, text } from "../../support/collect/records.ts"

const number = (key: string, value: number): Property => ({
  key,
  type: DataType.number,
  string: value.toFixed(4),
  number: value,
  date: null
})

const signup = (...properties: ReadonlyArray<Property>) => event({ name: "signup", type: 2, properties })

const namesOf = (seen: SeenProperties, counts = true) =>
  seen
    .changes(counts)
    .map(({ event: name, key, owner }) => `${owner} ${name} ${key}`)
    .sort()

describe("seen properties", () => {
  test("an event's property counts for the event and for all events, and an attribute for visitors", () => {
    const seen = new SeenProperties()
    seen.event(signup(text("plan", "pro")))
    seen.event(event({ properties: [text("plan", "free")] }))
    seen.identity(identity(session(), [text("plan", "team")]))
    expect(namesOf(seen)).toEqual(["event  plan", "event * plan", "event signup plan", "visitor * plan"])
    const any = seen.changes(true).find(({ event: name, owner }) => owner === "event" && name === "*")
    expect(any).toMatchObject({ counts: [2, 0, 0, 0, 0, 0], first: NOW, last: NOW, isNews: true })
  })

  test("an event named * has no entries of its own", () => {
    const seen = new SeenProperties()
    seen.event(event({ name: "*", type: 2, properties: [text("plan", "pro")] }))
    expect(namesOf(seen)).toEqual(["event * plan"])
  })

  test("strings that look like numbers count as a kind of their own", () => {
    const seen = new SeenProperties()
    for (const value of ["5", " -1.5 ", ".5", "5.", "pro", "", "1e5", "12px", "+"]) {
      seen.event(event({ properties: [text("value", value)] }))
    }
    expect(seen.changes(true)[0]?.counts).toEqual([5, 4, 0, 0, 0, 0])
  })

  test("only what the registry lacks is news, and everything else waits for the counts", () => {
    const seen = new SeenProperties()
    seen.event(signup(text("seats", "five")))
    seen.confirm(seen.changes(false))
    seen.event(signup(text("seats", "six")))
    expect(seen.hasNews).toBe(false)
    expect(namesOf(seen, false)).toEqual([])
    expect(namesOf(seen, true)).toEqual(["event * seats", "event signup seats"])
    seen.event(signup(number("seats", 3)))
    expect(seen.hasNews).toBe(true)
    expect(seen.changes(false).map(({ counts }) => counts)).toEqual([
      [1, 0, 1, 0, 0, 0],
      [1, 0, 1, 0, 0, 0]
    ])
  })

  test("what is noted while changes are being written is not lost when they are confirmed", () => {
    const seen = new SeenProperties()
    seen.event(signup(text("plan", "pro")))
    const changes = seen.changes(true)
    seen.event(signup(text("plan", "free")))
    seen.confirm(changes)
    expect(seen.changes(true).map(({ counts }) => counts[0])).toEqual([1, 1])
  })

  test("changes that could not be written are there again", () => {
    const seen = new SeenProperties()
    seen.event(signup(text("plan", "pro")))
    const changes = seen.changes(false)
    expect(seen.hasNews).toBe(false)
    seen.failed()
    expect(seen.hasNews).toBe(true)
    expect(seen.changes(false)).toEqual(changes)
  })

  test("a site has a limited number of keys, values beyond it are counted, and other sites are not affected", () => {
    const seen = new SeenProperties()
    for (let index = 0; index < 10_000; index++) seen.event(event({ properties: [text(`key ${index}`, "x")] }))
    const other = SiteId.make("3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f")
    seen.event(event({ siteId: other, properties: [text("plan", "x")] }))
    const changes = seen.changes(true)
    const counts = Map.groupBy(changes, ({ event: name, siteId }) => `${siteId === other} ${name === "*"}`)
    expect([...counts].map(([group, { length }]) => [group, length])).toEqual([
      ["false true", MAX_PROPERTIES.keys],
      ["false false", MAX_PROPERTIES["event keys"]],
      ["true true", 1],
      ["true false", 1]
    ])
    expect([...seen.takeOverflow().values()]).toEqual([9_000 + 8_000])
    expect(seen.takeOverflow().size).toBe(0)
  })

  test("a group that the registry refused takes no others until it has been read again, which shows what others registered", () => {
    const seen = new SeenProperties()
    const [site] = [event().siteId]
    seen.event(event({ properties: [text("plan", "pro")] }))
    seen.refused(seen.changes(false))
    seen.event(event({ properties: [text("seats", "5")] }))
    expect(seen.changes(true)).toEqual([])
    expect(seen.full()).toEqual([
      { siteId: site, group: "keys" },
      { siteId: site, group: "event keys" }
    ])
    seen.reload(
      site,
      "keys",
      Array.from({ length: MAX_PROPERTIES.keys }, (_, index) => ({ event: "*", key: `key ${index}`, kinds: 1 }))
    )
    seen.reload(site, "event keys", [])
    expect(seen.full()).toEqual([{ siteId: site, group: "keys" }])
    seen.event(event({ properties: [text("key 7", "x"), text("new", "x")] }))
    expect(namesOf(seen)).toEqual(["event  key 7", "event  new", "event * key 7"])
    expect(seen.changes(true).find(({ event: name }) => name === "*")).toMatchObject({ isNews: false })
  })

  test("all sites together have a bounded number of entries, and what is registered is forgotten to make room", () => {
    const seen = new SeenProperties()
    for (let site = 0; site < 40; site++) {
      const siteId = SiteId.make(`3f1c2d4e-5b6a-4c7d-8e9f-${String(site).padStart(12, "0")}`)
      for (let index = 0; index < 1_000; index++) {
        seen.event(event({ siteId, properties: [text(`key ${index}`, "x")] }))
      }
    }
    const changes = seen.changes(true)
    expect(changes.length).toBe(60_000)
    seen.confirm(changes)
    seen.trim()
    seen.event(signup(text("plan", "pro")))
    expect(namesOf(seen)).toEqual(["event * plan", "event signup plan"])
  })
})
