import { expect, test } from "bun:test"
import { Effect, Exit } from "effect"
import { recordingProperties } from "../../../layers/inprocess/recordingProperties.ts"
import { StorageError } from "../../../src/domain/StorageError.ts"
import { callbackEffect, isDirect } from "../../../src/lib/callbackEffect.ts"
import { Storage } from "../../../src/ports/Storage.ts"
import { event, identity, session, text } from "../../support/collect/records.ts"

const storageWith = (answer: Exit.Exit<void, StorageError>) =>
  Storage.of({
    saveEvent: () => callbackEffect((resume) => setImmediate(() => resume(answer))),
    saveIdentity: () => callbackEffect((resume) => setImmediate(() => resume(answer))),
    flush: Effect.void,
    ping: Effect.void,
    status: Effect.die("not used")
  })

const recording = (answer: Exit.Exit<void, StorageError>) => {
  const noted: Array<string> = []
  const storage = recordingProperties(storageWith(answer), {
    event: ({ properties }) => void noted.push(...properties.map(({ key }) => key)),
    identity: ({ properties }) => void noted.push(...properties.map(({ key }) => key))
  })
  return { noted, storage }
}

test("the properties of an event and an identity are noted once they are stored, without leaving the fast path", async () => {
  const { noted, storage } = recording(Exit.void)
  const saved = storage.saveEvent(event({ properties: [text("plan", "pro")] }))
  expect(isDirect(saved)).toBe(true)
  expect(isDirect(storage.saveEvent(event()))).toBe(true)
  expect(noted).toEqual([])
  await Effect.runPromise(saved)
  await Effect.runPromise(storage.saveIdentity(identity(session(), [text("role", "owner")])))
  expect(noted).toEqual(["plan", "role"])
})

test("the properties of a record that was not stored are not noted", async () => {
  const { noted, storage } = recording(Exit.fail(new StorageError({ reason: "Unavailable", message: "down" })))
  const failure = await Effect.runPromise(Effect.flip(storage.saveEvent(event({ properties: [text("plan", "pro")] }))))
  expect([failure.reason, noted]).toEqual(["Unavailable", []])
})
