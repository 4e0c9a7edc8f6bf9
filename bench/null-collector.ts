import "effect/schema/SchemaJITCompiler/enable"
import { Effect, Layer } from "effect"
import * as MaxmindGeo from "../layers/geo/MaxmindGeo.ts"
import { RejectionRing } from "../layers/inprocess/RejectionRing.ts"
import { TokenBuckets } from "../layers/inprocess/TokenBuckets.ts"
import { layer as licenseGate } from "../layers/license/LicenseGate.ts"
import { control, logOptions, runningOf } from "../src/app/collecting.ts"
import { CollectServer } from "../src/http/collect/CollectServer.ts"
import { Policy } from "../src/pipeline/Policy.ts"
import { Storage } from "../src/ports/Storage.ts"
import { runProcess } from "../src/process/run.ts"

/** Accepts everything and forgets it at once. */
const nowhere = Layer.succeed(Storage, {
  saveEvent: () => Effect.void,
  saveIdentity: () => Effect.void,
  flush: Effect.void,
  ping: Effect.void,
  status: Effect.succeed({
    backend: "nowhere",
    ready: true,
    pendingRecords: 0,
    pendingBytes: 0,
    inFlight: 0,
    lastSuccessAt: null,
    lastErrorAt: null,
    lastError: null
  })
})

const collecting = Layer.mergeAll(
  Policy.layer,
  MaxmindGeo.layer,
  licenseGate,
  RejectionRing,
  TokenBuckets,
  nowhere
).pipe(Layer.provideMerge(control))

/** The collector of src/collector.ts in everything but its storage: what is left is the cost of the pipeline. */
runProcess(logOptions, (stop) =>
  Effect.map(Layer.build(CollectServer.layer({ stop }).pipe(Layer.provideMerge(collecting))), runningOf)
)
