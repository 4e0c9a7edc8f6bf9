import "effect/schema/SchemaJITCompiler/enable"
import { Effect, Layer } from "effect"
import { MaxmindGeo } from "../layers/geo/MaxmindGeo.ts"
import { layer as licenceGate } from "../layers/licence/LicenceGate.ts"
import { RejectionRing } from "../layers/memory/RejectionRing.ts"
import { TokenBuckets } from "../layers/ratelimit/TokenBuckets.ts"
import { control, logOptions, runningOf } from "../src/collecting.ts"
import { CollectServer } from "../src/http/collect/CollectServer.ts"
import { Policy } from "../src/pipeline/Policy.ts"
import { Storage } from "../src/ports/Storage.ts"
import { runProcess } from "../src/runProcess.ts"

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

const collecting = Layer.mergeAll(Policy.layer, MaxmindGeo, licenceGate, RejectionRing, TokenBuckets, nowhere).pipe(
  Layer.provideMerge(control)
)

/** The collector of src/collector.ts in everything but its storage: what is left is the cost of the pipeline. */
runProcess(logOptions, (stop) =>
  Effect.map(Layer.build(CollectServer.layer({ stop }).pipe(Layer.provideMerge(collecting))), runningOf)
)
