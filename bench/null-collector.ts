import "effect/schema/SchemaJITCompiler/enable"
import { Effect, Layer } from "effect"
import { DatabaseUrl } from "../layers/postgres/client/Database.ts"
import { collectingTo, processOptions, runningOf } from "../src/app/collecting.ts"
import { CollectServer } from "../src/http/collect/CollectServer.ts"
import { Storage } from "../src/ports/Storage.ts"
import { runProcess } from "../src/process/run.ts"
import { joinSupervisor } from "../src/process/worker.ts"

/** Accepts every record and discards it. */
const nullStorage = Layer.succeed(Storage, {
  saveEvent: () => Effect.void,
  saveIdentity: () => Effect.void,
  flush: Effect.void,
  ping: Effect.void,
  status: Effect.succeed({
    backend: "null",
    ready: true,
    pendingRecords: 0,
    pendingBytes: 0,
    inFlight: 0,
    lastSuccessAt: null,
    lastErrorAt: null,
    lastError: null
  })
})

/** The collector of src/collector.ts, except for its storage: what remains is the cost of the pipeline. */
runProcess(processOptions, (control) =>
  Effect.map(
    Layer.build(
      CollectServer.layer({ ...control, joinSupervisor }).pipe(
        Layer.provideMerge(collectingTo(nullStorage)),
        Layer.provideMerge(DatabaseUrl.layer)
      )
    ),
    runningOf
  )
)
