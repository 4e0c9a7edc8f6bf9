import { Effect, type Redacted, type Scope } from "effect"
import type { Storage } from "../../../src/ports/Storage.ts"
import { saveAll } from "../collect/records.ts"
import { openStorage } from "../postgres/pgStorage.ts"
import { openClient } from "../postgres/postgres.ts"
import { randomFrom } from "../replica/traffic.ts"
import { INSERT_RANDOM_SITES } from "./agreement.ts"
import { randomEvents } from "./randomEvents.ts"

const EVENTS = 1_000
const IDENTITIES = 60

/** Saves the same random events and identities in an app database, with their sites, and in another storage, which is flushed. */
export const fillWithRandom = (
  url: Redacted.Redacted<string>,
  other: Effect.Effect<Storage["Service"], never, Scope.Scope>,
  seed: number
): Promise<void> =>
  Effect.gen(function* () {
    yield* (yield* openClient(url, 1)).unsafe(INSERT_RANDOM_SITES)
    const made = randomEvents(randomFrom(seed))
    const events = Array.from({ length: EVENTS }, made.next)
    const identities = Array.from({ length: IDENTITIES }, made.identify)
    for (const store of [yield* openStorage(url), yield* other]) {
      yield* saveAll(store, events)
      yield* Effect.forEach(identities, (one) => store.saveIdentity(one), { discard: true })
      yield* store.flush
    }
  }).pipe(Effect.scoped, Effect.runPromise)
