import { expect, test } from "bun:test"
import { Effect, Exit } from "effect"
import { StorageError } from "../../../src/domain/StorageError.ts"
import {
  allDirect,
  callbackEffect,
  type Fork,
  isDirect,
  runDirect,
  thenDirect
} from "../../../src/lib/callbackEffect.ts"
import { Draft } from "../../../src/pipeline/Draft.ts"
import { processPayload } from "../../../src/pipeline/processPayload.ts"
import { Storage } from "../../../src/ports/Storage.ts"
import { FIREFOX, pipelineEnv, SITE } from "../../support/collect/collect.ts"

/** A storage that answers in the next turn of the event loop, as every real one does. */
const waiting = (answer: Exit.Exit<void, StorageError> = Exit.void): Storage["Service"] =>
  Storage.of({
    saveEvent: () => callbackEffect((resume) => setImmediate(() => resume(answer))),
    saveIdentity: () => callbackEffect((resume) => setImmediate(() => resume(answer))),
    flush: Effect.void,
    ping: Effect.void,
    status: Effect.die("not used")
  })

const down = waiting(Exit.fail(new StorageError({ reason: "Unavailable", message: "down" })))

/** Saves to another storage when the first fails. */
const withFallback = (first: Storage["Service"], second: Storage["Service"]): Storage["Service"] => ({
  ...first,
  saveEvent: (record) =>
    thenDirect(first.saveEvent(record), (exit) => (Exit.isSuccess(exit) ? exit : second.saveEvent(record)))
})

/** Saves to both storages; succeeds if both do. */
const withFanOut = (first: Storage["Service"], second: Storage["Service"]): Storage["Service"] => ({
  ...first,
  saveEvent: (record) =>
    thenDirect(allDirect([first.saveEvent(record), second.saveEvent(record)]), (exits) =>
      Exit.isSuccess(exits) ? (exits.value.find(Exit.isFailure) ?? Exit.void) : exits
    )
})

/** Counts the records saved. */
const withMetrics = (storage: Storage["Service"], onSaved: () => void): Storage["Service"] => ({
  ...storage,
  saveEvent: (record) =>
    thenDirect(storage.saveEvent(record), (exit) => {
      if (Exit.isSuccess(exit)) onSaved()
      return exit
    })
})

/** Runs a pageview through the pipeline; the result is its exit and the number of fibers that took. */
const save = async (storage: Storage["Service"]) => {
  const env = await pipelineEnv(storage)
  const body = { type: "event", payload: { website: SITE, hostname: "example.com", url: "/" } }
  const draft = new Draft(body, { headers: new Headers({ "user-agent": FIREFOX }), peer: "127.0.0.1" }, Date.now())
  let fibers = 0
  const fork: Fork = (effect) => {
    fibers++
    return Effect.runFork(effect)
  }
  const exit = await new Promise<Exit.Exit<void, unknown>>((resolve) => {
    runDirect(processPayload(draft, env), fork, resolve)
  })
  return { succeeded: Exit.isSuccess(exit), fibers }
}

let saved = 0
test.each([
  ["without decorators", waiting(), true],
  ["that fails", down, false],
  ["with a fallback", withFallback(down, waiting()), true],
  ["with a fan-out", withFanOut(waiting(), waiting()), true],
  ["with a fan-out of which one fails", withFanOut(waiting(), down), false],
  ["with metrics", withMetrics(waiting(), () => saved++), true],
  [
    "with metrics around a fallback around a fan-out",
    withMetrics(withFallback(down, withFanOut(waiting(), waiting())), () => saved++),
    true
  ]
])("an event takes no fiber on its way to a storage %s", async (_, storage, succeeded) => {
  expect(await save(storage)).toEqual({ succeeded, fibers: 0 })
})

test("a decorator made with Effect's own combinators still works, but takes a fiber", async () => {
  const storage = waiting()
  const decorated: Storage["Service"] = {
    ...storage,
    saveEvent: (record) => Effect.tap(storage.saveEvent(record), Effect.void)
  }
  expect(await save(decorated)).toEqual({ succeeded: true, fibers: 1 })
})

test("a rejected payload ends without a fiber and without reaching the storage", async () => {
  const env = await pipelineEnv(waiting())
  const draft = new Draft({ type: "event" }, { headers: new Headers(), peer: "127.0.0.1" }, Date.now())
  const effect = processPayload(draft, env)
  expect([isDirect(effect), Exit.isExit(effect)]).toEqual([true, true])
})
