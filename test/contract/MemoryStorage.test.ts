import { Context, Effect, Layer } from "effect"
import { Storage } from "../../src/ports/Storage.ts"
import { stored } from "../support/collect/records.ts"
import * as MemoryStorage from "../support/memory/MemoryStorage.ts"
import { storageContract } from "./storage.ts"

storageContract("MemoryStorage", ({ maxPending }) =>
  Effect.map(Layer.build(Layer.fresh(MemoryStorage.layer(maxPending))), (services) => {
    const records = Context.get(services, MemoryStorage.StoredRecords)
    return {
      storage: Context.get(services, Storage),
      read: Effect.sync(() =>
        stored({
          events: records.events.values(),
          sessions: records.sessions.values(),
          attributes: [...records.attributes].flatMap(([sessionId, values]) =>
            [...values.values()].map((property) => ({ ...property, sessionId }))
          )
        })
      ),
      hold: records.hold
    }
  })
)
