import { expect } from "bun:test"
import { Effect } from "effect"
import fc from "fast-check"
import type { EventRecord, Property, SessionRecord } from "../../src/domain/Event.ts"
import type { Storage } from "../../src/ports/Storage.ts"
import { event, identity, type Stored, session, stored, text } from "../support/collect/records.ts"

/** A save of one of the events or sessions below, by index. */
type Save =
  | { readonly kind: "event"; readonly index: number }
  | {
      readonly kind: "identity"
      readonly index: number
      readonly distinctId: string | null
      readonly values: ReadonlyArray<readonly [key: string, value: string]>
    }

const SESSIONS = 4
const EVENTS = 12

const save: fc.Arbitrary<Save> = fc.oneof(
  fc.record({ kind: fc.constant("event" as const), index: fc.nat(EVENTS - 1) }),
  fc.record({
    kind: fc.constant("identity" as const),
    index: fc.nat(SESSIONS - 1),
    distinctId: fc.constantFrom(null, "ann", "bob"),
    values: fc.array(fc.tuple(fc.constantFrom("a", "b", "c"), fc.string({ maxLength: 3, unit: "grapheme-ascii" })), {
      maxLength: 3
    })
  })
)

export const groupsOfSaves = fc.array(fc.array(save, { maxLength: 8 }), { maxLength: 6 })

/** Saves the groups one after another, and the saves of a group at the same time. Expects what the model predicts. */
export const agreesWithModel = Effect.fnUntraced(function* (
  storage: Storage["Service"],
  read: Effect.Effect<Stored>,
  groups: ReadonlyArray<ReadonlyArray<Save>>,
  kept: (records: Stored) => Stored
) {
  const sessions = Array.from({ length: SESSIONS }, (_, index) => session({ browser: `browser ${index}` }))
  const records = Array.from({ length: EVENTS }, (_, index) => {
    const owner = sessions[index % SESSIONS]!
    return event({
      sessionId: owner.id,
      // With a token, the session is not sent again.
      session: index % 3 === 0 ? null : owner,
      properties: ["a", "b", "c"].slice(index % 4).map((key) => text(key, `${key} of ${index}`))
    })
  })

  const model = {
    events: new Map<string, EventRecord>(),
    sessions: new Map<string, SessionRecord>(),
    attributes: new Map<string, Property & { readonly sessionId: string }>()
  }
  const apply = (save: Save): Effect.Effect<void, unknown> => {
    if (save.kind === "event") {
      const record = records[save.index]!
      model.events.set(record.id, record)
      if (record.session !== null && !model.sessions.has(record.sessionId)) {
        model.sessions.set(record.sessionId, record.session)
      }
      return storage.saveEvent(record)
    }
    const visitor = sessions[save.index]!
    const existing = model.sessions.get(visitor.id) ?? visitor
    model.sessions.set(visitor.id, { ...existing, distinctId: existing.distinctId ?? save.distinctId })
    const properties = save.values.map(([key, value]) => text(key, value))
    for (const property of properties) {
      model.attributes.set(`${visitor.id} ${property.key}`, { ...property, sessionId: visitor.id })
    }
    return storage.saveIdentity(identity({ ...visitor, distinctId: save.distinctId }, properties))
  }

  for (const group of groups) yield* Effect.all(group.map(apply), { concurrency: "unbounded" })

  const known = new Set<string>(sessions.map(({ id }) => id))
  const found = yield* read
  const ours: Stored = {
    events: found.events.filter(({ sessionId }) => known.has(sessionId)),
    sessions: found.sessions.filter(({ id }) => known.has(id)),
    attributes: found.attributes.filter(({ sessionId }) => known.has(sessionId))
  }
  expect(ours).toEqual(
    kept(
      stored({
        events: model.events.values(),
        sessions: model.sessions.values(),
        attributes: model.attributes.values()
      })
    )
  )
})
