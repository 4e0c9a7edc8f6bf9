import { expect, setDefaultTimeout, test } from "bun:test"
import { Context, Effect } from "effect"
import { SiteId } from "../../../../src/domain/ids.ts"
import {
  TimelineEvents,
  type TimelineEventsError,
  type TimelineEventValues
} from "../../../../src/ports/TimelineEvents.ts"
import { ADA, BOB, failureOf, startContent } from "../../../support/postgres/content.ts"
import { run } from "../../../support/postgres/controlPlane.ts"
import { freshDatabase, openClient } from "../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const SHOP = SiteId.make("3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f")
const BLOG = SiteId.make("94488cc1-2cd1-499b-83fc-bd7afd4cbcad")
const UNKNOWN = "5a1ed000-0000-4000-8000-000000000099"

const note = (name: string, at: string, site: SiteId | null = null): TimelineEventValues => ({
  site,
  at: new Date(at),
  timeMatters: true,
  name,
  description: null,
  icon: "star"
})

const onEvents = (body: (events: TimelineEvents["Service"]) => Effect.Effect<void, unknown, never>) =>
  run(
    Effect.gen(function* () {
      const url = yield* Effect.promise(freshDatabase)
      const sql = yield* openClient(url, 1)
      yield* sql.unsafe(
        `INSERT INTO product_analytics_site (id, name, timezone, week_start, currency)
          SELECT unnest(ARRAY['${SHOP}', '${BLOG}']::uuid[]), 'x', 'UTC', 'monday', 'EUR'`
      )
      yield* body(Context.get(yield* startContent(url), TimelineEvents))
    })
  )

const outcome = (effect: Effect.Effect<unknown, TimelineEventsError>) =>
  Effect.map(failureOf(effect), ({ message, reason }) => [reason, message])

test("notes are listed in the order of their times, within a range, for one site and for all", () =>
  onEvents((events) =>
    Effect.gen(function* () {
      yield* events.create(note("Launch", "2026-03-02T10:00:00Z", SHOP), ADA)
      yield* events.create(note("Post", "2026-03-01T10:00:00Z", BLOG), ADA)
      yield* events.create(note("Holiday", "2026-03-03T00:00:00Z"), BOB)
      const list = (criteria: object) =>
        Effect.map(events.list({ sites: null, from: null, until: null, archived: false, ...criteria }), (all) =>
          all.map(({ name }) => name)
        )
      expect(yield* list({})).toEqual(["Post", "Launch", "Holiday"])
      expect(yield* list({ sites: [SHOP] })).toEqual(["Launch", "Holiday"])
      expect(yield* list({ sites: [] })).toEqual(["Holiday"])
      expect(yield* list({ from: new Date("2026-03-02T10:00:00Z"), until: new Date("2026-03-03T00:00:00Z") })).toEqual([
        "Launch"
      ])
    })
  ))

test("a note is changed, moved to the trash, restored and deleted", () =>
  onEvents((events) =>
    Effect.gen(function* () {
      const { id } = yield* events.create(note("Launch", "2026-03-02T10:00:00Z", SHOP), ADA)
      const changed = yield* events.update(id, { name: "Launch 2", site: null, icon: "cake", revision: 1 })
      expect(changed).toMatchObject({ name: "Launch 2", site: null, icon: "cake", revision: 2, author: ADA })
      expect(yield* outcome(events.update(id, { name: "x", revision: 1 }))).toEqual([
        "Conflict",
        "The note was changed in the meantime: its revision is 2, not 1. Read it again."
      ])
      expect((yield* events.update(id, { archived: true })).isArchived).toBe(true)
      expect((yield* events.update(id, { archived: false })).isArchived).toBe(false)
      yield* events.remove(id)
      const gone = ["NotFound", `There is no note with the id "${id}".`]
      expect(yield* outcome(events.get(id))).toEqual(gone)
      expect(yield* outcome(events.remove(id))).toEqual(gone)
    })
  ))

test("a note of an unknown site, or with a string that can't be stored, is refused", () =>
  onEvents((events) =>
    Effect.gen(function* () {
      const at = "2026-03-02T10:00:00Z"
      expect(yield* outcome(events.create(note("x", at, SiteId.make(UNKNOWN)), ADA))).toEqual([
        "Invalid",
        `There is no site with the id "${UNKNOWN}".`
      ])
      expect((yield* failureOf(events.create(note("\0", at), ADA))).reason).toBe("Invalid")
    })
  ))
