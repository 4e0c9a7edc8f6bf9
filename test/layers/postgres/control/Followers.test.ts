import { expect, test } from "bun:test"
import { Deferred, Effect } from "effect"
import { Followers } from "../../../../layers/postgres/control/changes/Followers.ts"
import { run } from "../../../support/postgres/controlPlane.ts"

/** Lets every follower that was woken run. */
const untilReloaded = Effect.repeat(Effect.yieldNow, { times: 20 })

test("a change reloads the followers of its topic", () =>
  run(
    Effect.gen(function* () {
      const followers = new Followers()
      const reloads: Array<string> = []
      const reload = (name: string) => Effect.sync(() => void reloads.push(name))
      yield* followers.add("sites", reload("sites"))
      yield* followers.add("keys", reload("keys"))
      yield* untilReloaded
      expect(reloads).toEqual([])
      followers.wake("keys")
      yield* untilReloaded
      expect(reloads).toEqual(["keys"])
      followers.wakeAll()
      yield* untilReloaded
      expect(reloads.toSorted()).toEqual(["keys", "keys", "sites"])
    })
  ))

test("changes during a reload lead to one more reload", () =>
  run(
    Effect.gen(function* () {
      const followers = new Followers()
      let reloads = 0
      const release = yield* Deferred.make<void>()
      const count = Effect.sync(() => void reloads++)
      yield* followers.add("sites", Effect.andThen(count, Deferred.await(release)))
      followers.wake("sites")
      yield* untilReloaded
      for (let change = 0; change < 3; change++) followers.wake("sites")
      expect(reloads).toBe(1)
      yield* Deferred.succeed(release, undefined)
      yield* untilReloaded
      expect(reloads).toBe(2)
    })
  ))

test("only followers whose last reload failed are stale", () =>
  run(
    Effect.gen(function* () {
      const followers = new Followers()
      let attempts = 0
      let isBroken = true
      yield* followers.add(
        "settings",
        Effect.suspend(() => {
          attempts++
          return isBroken ? Effect.fail({ message: "unreachable" }) : Effect.void
        })
      )
      followers.wakeStale()
      yield* untilReloaded
      expect(attempts).toBe(0)
      followers.wake("settings")
      yield* untilReloaded
      isBroken = false
      followers.wakeStale()
      yield* untilReloaded
      followers.wakeStale()
      yield* untilReloaded
      expect(attempts).toBe(2)
    })
  ))

test("a follower stops when its scope closes", () =>
  run(
    Effect.gen(function* () {
      const followers = new Followers()
      let reloads = 0
      yield* Effect.scoped(
        followers.add(
          "sites",
          Effect.sync(() => void reloads++)
        )
      )
      followers.wakeAll()
      yield* untilReloaded
      expect(reloads).toBe(0)
    })
  ))
