import { Clock, Context, Deferred, Effect, Layer, type Scope } from "effect"
import { SIZE } from "../../../src/domain/columnSizes.ts"
import type { EventRecord, IdentityRecord, Property, SessionRecord } from "../../../src/domain/Event.ts"
import { StorageError } from "../../../src/domain/StorageError.ts"
import { Storage } from "../../../src/ports/Storage.ts"

/** The content of a `MemoryStorage`, for tests to inspect. The maps are live. */
export class StoredRecords extends Context.Service<
  StoredRecords,
  {
    /** By event id. */
    readonly events: ReadonlyMap<string, EventRecord>
    /** By session id. */
    readonly sessions: ReadonlyMap<string, SessionRecord>
    /** By session id, then by key. */
    readonly attributes: ReadonlyMap<string, ReadonlyMap<string, Property>>
    /** While the scope is open, records are accepted and not stored. */
    readonly hold: Effect.Effect<void, never, Scope.Scope>
  }
>()("footfall/memory/StoredRecords") {}

/** Keeps everything in this process. `maxPending` records may be accepted while the store is held. */
export const layer = (maxPending = Number.POSITIVE_INFINITY): Layer.Layer<Storage | StoredRecords> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const events = new Map<string, EventRecord>()
      const sessions = new Map<string, SessionRecord>()
      const attributes = new Map<string, Map<string, Property>>()
      let held: Deferred.Deferred<void> | undefined
      let pending = 0
      let lastSuccessAt: number | null = null
      let lastError: { readonly at: number; readonly message: string } | null = null

      const fail = (reason: StorageError["reason"], message: string) => {
        lastError = { at: clock.currentTimeMillisUnsafe(), message }
        return Effect.fail(new StorageError({ reason, message }))
      }

      const store = (put: () => Effect.Effect<void, StorageError>): Effect.Effect<void, StorageError> =>
        Effect.suspend(() => {
          if (pending >= maxPending) return fail("Overloaded", "Too many records wait to be stored.")
          if (held === undefined) return put()
          pending++
          return Deferred.await(held).pipe(
            Effect.ensuring(
              Effect.sync(() => {
                pending--
              })
            ),
            Effect.andThen(Effect.suspend(put))
          )
        })

      const stored = () => {
        lastSuccessAt = clock.currentTimeMillisUnsafe()
        return Effect.void
      }

      const keepSession = (session: SessionRecord): void => {
        const kept = sessions.get(session.id)
        if (kept === undefined) sessions.set(session.id, session)
        else if (session.createdAt < kept.createdAt)
          sessions.set(session.id, { ...session, distinctId: kept.distinctId })
      }

      const saveEvent = (record: EventRecord) =>
        store(() => {
          if (record.name !== null && record.name.length > SIZE.eventName) {
            return fail("Refused", "The record can't be stored: a string is too long.")
          }
          if (record.session !== null) keepSession(record.session)
          if (!events.has(record.id)) events.set(record.id, record)
          return stored()
        })

      const saveIdentity = ({ properties, session }: IdentityRecord) =>
        store(() => {
          keepSession(session)
          const kept = sessions.get(session.id) ?? session
          if (kept.distinctId === null) sessions.set(session.id, { ...kept, distinctId: session.distinctId })
          const values = attributes.get(session.id) ?? new Map<string, Property>()
          for (const property of properties) values.set(property.key, property)
          attributes.set(session.id, values)
          return stored()
        })

      const storage = Storage.of({
        saveEvent,
        saveIdentity,
        flush: Effect.suspend(() => (held === undefined ? Effect.void : Deferred.await(held))),
        ping: Effect.void,
        status: Effect.sync(() => ({
          backend: "memory",
          ready: pending < maxPending,
          pendingRecords: pending,
          pendingBytes: 0,
          inFlight: 0,
          lastSuccessAt,
          lastErrorAt: lastError?.at ?? null,
          lastError: lastError?.message ?? null
        }))
      })
      const hold = Effect.acquireRelease(
        Effect.sync(() => {
          const door = Deferred.makeUnsafe<void>()
          held = door
          return door
        }),
        (door) =>
          Effect.suspend(() => {
            held = undefined
            return Deferred.succeed(door, undefined)
          })
      )
      return Context.make(Storage, storage).pipe(
        Context.add(StoredRecords, { events, sessions, attributes, hold: Effect.asVoid(hold) })
      )
    })
  )
