import { expect } from "bun:test"
import { Effect } from "effect"
import fc from "fast-check"
import type { EventRecord, Property, SessionRecord } from "../../src/domain/Event.ts"
import type { Storage } from "../../src/ports/Storage.ts"
import { event, identity, type Stored, session, stored, text } from "../support/records.ts"

/** A save in terms of the small worlds below: which of the events, or which session gets which attributes. */
type Save =
  | { readonly kind: "event"; readonly which: number }
  | {
      readonly kind: "identity"
      readonly which: number
      readonly distinctId: string | null
      readonly values: ReadonlyArray<readonly [key: string, value: string]>
    }

const SESSIONS = 4
const EVENTS = 12

const save: fc.Arbitrary<Save> = fc.oneof(
  fc.record({ kind: fc.constant("event" as const), which: fc.nat(EVENTS - 1) }),
  fc.record({
    kind: fc.constant("identity" as const),
    which: fc.nat(SESSIONS - 1),
    distinctId: fc.constantFrom(null, "ann", "bob"),
    values: fc.array(fc.tuple(fc.constantFrom("a", "b", "c"), fc.string({ maxLength: 3, unit: "grapheme-ascii" })), {
      maxLength: 3
    })
  })
)

export const groupsOfSaves = fc.array(fc.array(save, { maxLength: 8 }), { maxLength: 6 })

/** Groups are saved one after the other, the saves of a group at the same time. */
export const agreesWithModel = Effect.fnUntraced(function* (
  storage: Storage["Service"],
  read: Effect.Effect<Stored>,
  groups: ReadonlyArray<ReadonlyArray<Save>>,
  kept: (held: Stored) => Stored
) {
  const sessions = Array.from({ length: SESSIONS }, (_, index) => session({ browser: `browser ${index}` }))
  const world = Array.from({ length: EVENTS }, (_, index) => {
    const owner = sessions[index % SESSIONS]!
    return event({
      sessionId: owner.id,
      // A token spares some events their session.
      session: index % 3 === 0 ? null : owner,
      properties: ["a", "b", "c"].slice(index % 4).map((key) => text(key, `${key} of ${index}`))
    })
  })

  const model = {
    events: new Map<string, EventRecord>(),
    sessions: new Map<string, SessionRecord>(),
    attributes: new Map<string, Property & { readonly sessionId: string }>()
  }
  const apply = (one: Save): Effect.Effect<void, unknown> => {
    if (one.kind === "event") {
      const record = world[one.which]!
      model.events.set(record.id, record)
      if (record.session !== null && !model.sessions.has(record.sessionId)) {
        model.sessions.set(record.sessionId, record.session)
      }
      return storage.saveEvent(record)
    }
    const visitor = sessions[one.which]!
    const kept = model.sessions.get(visitor.id) ?? visitor
    model.sessions.set(visitor.id, { ...kept, distinctId: kept.distinctId ?? one.distinctId })
    const properties = one.values.map(([key, value]) => text(key, value))
    for (const property of properties) {
      model.attributes.set(`${visitor.id} ${property.key}`, { ...property, sessionId: visitor.id })
    }
    return storage.saveIdentity(identity({ ...visitor, distinctId: one.distinctId }, properties))
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
