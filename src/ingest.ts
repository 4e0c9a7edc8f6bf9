import { Layer } from "effect"
import { MaxmindGeo } from "../layers/geo/MaxmindGeo.ts"
import { layer as licenceGate } from "../layers/licence/LicenceGate.ts"
import { RejectionRing } from "../layers/memory/RejectionRing.ts"
import { TokenBuckets } from "../layers/ratelimit/TokenBuckets.ts"
import { Policy } from "./pipeline/Policy.ts"

/** What every process that collects has, whatever its storage: the pipeline's services on top of settings, sites and secret. */
export const ingest = Layer.mergeAll(Policy.layer, MaxmindGeo, licenceGate, RejectionRing, TokenBuckets)
