import { Effect } from "effect"
import { type Destination, DestinationError } from "../../../layers/forward/Destination.ts"
import { rewindTarget } from "../../../layers/forward/openingJournal.ts"
import type { RecordCodec } from "../../../layers/forward/spooledStorage.ts"
import { readRecords } from "../../../layers/spool/readRecords.ts"
import type { EventRecord, IdentityRecord } from "../../../src/domain/Event.ts"
import type { Storage } from "../../../src/ports/Storage.ts"

type Message =
  | { readonly kind: "event"; readonly record: EventRecord }
  | { readonly kind: "identity"; readonly record: IdentityRecord }

/** Records as JSON objects. */
export const jsonCodec: RecordCodec = {
  encodeEvent: (record, session) => JSON.stringify({ kind: "event", record: { ...record, session } }),
  encodeIdentity: (record) => JSON.stringify({ kind: "identity", record })
}

/** A destination that stores the records of `jsonCodec` in another storage, and watermarks in memory. */
export const makeMemoryDestination = (storage: Storage["Service"]): Destination => {
  const watermarks = new Map<string, { readonly position: number; readonly setAt: number }>()

  const save = (message: Message) =>
    message.kind === "event" ? storage.saveEvent(message.record) : storage.saveIdentity(message.record)

  return {
    name: "memory",
    prepare: Effect.void,
    reconcile: ({ id, openings }, onRolledBack) =>
      Effect.sync(() => {
        const watermark = watermarks.get(id)
        if (watermark === undefined) return
        const end = rewindTarget(openings, watermark.setAt)
        if (watermark.position <= end) return
        onRolledBack({ end, watermark: watermark.position })
        watermarks.set(id, { position: end, setAt: Date.now() })
      }),
    write: ({ spool: { folder, id, oldest }, upTo }, onDamage) =>
      Effect.gen(function* () {
        const from = Math.max(oldest, watermarks.get(id)?.position ?? 0)
        let rows = 0
        for (const { payload, position } of readRecords(folder, from, upTo, onDamage)) {
          yield* save(JSON.parse(Buffer.from(payload).toString()))
          watermarks.set(id, { position, setAt: Date.now() })
          rows++
        }
        return { position: upTo, rows }
      }).pipe(
        Effect.catchTag("StorageError", ({ message }) =>
          Effect.fail(new DestinationError({ reason: "Unavailable", message }))
        )
      )
  }
}
