import "effect/schema/SchemaJITCompiler/enable"
import { Effect, Layer } from "effect"
import { recordingProperties } from "../layers/inprocess/recordingProperties.ts"
import { DatabaseUrl } from "../layers/postgres/client/Database.ts"
import * as PgPropertyRecorder from "../layers/postgres/metadata/PgPropertyRecorder.ts"
import { collectingTo, processOptions, runningOf } from "../src/app/collecting.ts"
import { CollectServer } from "../src/http/collect/CollectServer.ts"
import { PropertyRecorder } from "../src/ports/PropertyRecorder.ts"
import { Storage } from "../src/ports/Storage.ts"
import { runProcess } from "../src/process/run.ts"
import { joinSupervisor } from "../src/process/worker.ts"

/** Accepts every record and discards it. */
const nullStorage: Storage["Service"] = {
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
}

/** Notes properties for the registry as every storage does. */
const recordingStorage = Layer.effect(
  Storage,
  Effect.map(PropertyRecorder, (recorder) => recordingProperties(nullStorage, recorder))
).pipe(Layer.provide(PgPropertyRecorder.layer))

/** The collector of src/collector.ts, except for its storage: what remains is the cost of the pipeline. */
runProcess(processOptions, (control) =>
  Effect.map(
    Layer.build(
      CollectServer.layer({ ...control, joinSupervisor }).pipe(
        Layer.provideMerge(collectingTo(recordingStorage)),
        Layer.provideMerge(DatabaseUrl.layer)
      )
    ),
    runningOf
  )
)
