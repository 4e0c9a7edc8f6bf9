import { expect, test } from "bun:test"
import { Context, Effect, Schedule } from "effect"
import { startEmbeddedPostgres } from "../../../../layers/postgres/embedded/EmbeddedPostgres.ts"
import { SiteId } from "../../../../src/domain/ids.ts"
import { AdminKeys } from "../../../../src/ports/AdminKeys.ts"
import { Settings } from "../../../../src/ports/Settings.ts"
import { Sites } from "../../../../src/ports/Sites.ts"
import { RATE_LIMIT_BURST } from "../../../../src/settings/settings.ts"
import { allowing, eventually } from "../../../support/eventually.ts"
import { run, startProcess } from "../../../support/postgres/controlPlane.ts"
import { temporaryFolder } from "../../../support/postgres/postgres.ts"

const ID = SiteId.make("3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f")

test("during a database outage, cached sites and settings stay in use and changes fail with Unavailable; afterwards changes are picked up", async () => {
  await run(
    Effect.gen(function* () {
      const server = yield* startEmbeddedPostgres(temporaryFolder())
      const mine = yield* startProcess(server.url)
      const theirs = yield* startProcess(server.url)
      const [sites, settings, keys] = [
        Context.get(mine, Sites),
        Context.get(mine, Settings),
        Context.get(mine, AdminKeys)
      ]
      yield* sites.create({ id: ID, name: "Shop", domains: ["shop.example"] })
      yield* settings.set("rate-limit-burst", "7")

      const stopped = server.pid()!
      process.kill(stopped, "SIGSTOP")
      yield* Effect.addFinalizer(() => Effect.sync(() => server.pid() === stopped && process.kill(stopped, "SIGCONT")))
      // Backends that are connected still answer, so each is stopped, too.
      const backends = (yield* Effect.promise(() => Bun.$`ps -o pid= --ppid ${stopped}`.text()))
        .split("\n")
        .flatMap((line) => Number(line) || [])
      for (const pid of backends) process.kill(pid, "SIGSTOP")
      const begin = performance.now()
      const failures = yield* Effect.all(
        [
          Effect.flip(sites.create({ name: "Blog" })),
          Effect.flip(settings.set("rate-limit-burst", "8")),
          Effect.flip(keys.verify("ff_unknown"))
        ],
        { concurrency: "unbounded" }
      )
      expect(failures.map(({ reason }) => reason)).toEqual(["Unavailable", "Unavailable", "Unavailable"])
      expect(performance.now() - begin).toBeLessThan(allowing(12_000))
      expect([sites.find(ID)?.id, sites.allowsOrigin("https://shop.example"), settings.get(RATE_LIMIT_BURST)]).toEqual([
        ID,
        true,
        7
      ])

      for (const pid of [...backends, stopped]) process.kill(pid, "SIGCONT")
      process.kill(stopped, "SIGKILL")
      // Resumed backends may answer once more before they notice that their server has exited.
      yield* eventually("the server has restarted", () => server.pid() !== undefined && server.pid() !== stopped)
      yield* Context.get(theirs, Sites)
        .archive(ID)
        .pipe(Effect.retry(Schedule.spaced("100 millis")), Effect.timeout("20 seconds"))
      yield* eventually("the change is picked up", () => sites.find(ID) === undefined)
    })
  )
}, 180_000)
