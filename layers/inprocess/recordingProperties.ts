import { onSuccessDirect } from "../../src/lib/callbackEffect.ts"
import type { PropertyRecorder } from "../../src/ports/PropertyRecorder.ts"
import type { Storage } from "../../src/ports/Storage.ts"

/** A storage that notes the properties of the records that it has stored. Its effects are direct if the storage's are. */
export const recordingProperties = (
  storage: Storage["Service"],
  recorder: PropertyRecorder["Service"]
): Storage["Service"] => ({
  ...storage,
  saveEvent: (record) => {
    const saved = storage.saveEvent(record)
    return record.properties.length === 0 ? saved : onSuccessDirect(saved, () => recorder.event(record))
  },
  saveIdentity: (record) => onSuccessDirect(storage.saveIdentity(record), () => recorder.identity(record))
})
