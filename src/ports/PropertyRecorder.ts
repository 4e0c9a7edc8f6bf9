import { Context } from "effect"
import type { EventRecord, IdentityRecord } from "../domain/Event.ts"

/**
 * Notes which properties stored records have, for the registry (`Properties`). Storages call it when records are durable. It takes well
 * under a microsecond per property, never waits and never fails: what it noted is written in the background, and again if that fails.
 */
export class PropertyRecorder extends Context.Service<
  PropertyRecorder,
  {
    readonly event: (record: EventRecord) => void
    readonly identity: (record: IdentityRecord) => void
  }
>()("footfall/ports/PropertyRecorder") {}
