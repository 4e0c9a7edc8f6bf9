import { expect, test } from "bun:test"
import { Context, Effect, Schedule } from "effect"
import { startEmbeddedPostgres } from "../../../../layers/postgres/embedded/EmbeddedPostgres.ts"
import { SiteId } from "../../../../src/domain/ids.ts"
import { AdminKeys } from "../../../../src/ports/AdminKeys.ts"
import { Settings } from "../../../../src/ports/Settings.ts"
import { Sites } from "../../../../src/ports/Sites.ts"
import { RATE_LIMIT_BURST } from "../../../../src/settings/settings.ts"
import { run, startProcess } from "../../../support/controlPlane.ts"
import { eventually } from "../../../support/eventually.ts"
import { temporaryFolder } from "../../../support/postgres.ts"

const ID = SiteId.make("3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f")

test("while the database is away the known sites and settings go on, changes fail with the reason, and all is followed after", async () => {
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
      // A connected backend still answers; it is stopped by its own signal.
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
      expect(performance.now() - begin).toBeLessThan(12_000)
      expect([sites.find(ID)?.id, sites.allowsOrigin("https://shop.example"), settings.get(RATE_LIMIT_BURST)]).toEqual([
        ID,
        true,
        7
      ])

      for (const pid of [...backends, stopped]) process.kill(pid, "SIGCONT")
      process.kill(stopped, "SIGKILL")
      // Backends that go on may answer once more before they notice that their server is gone.
      yield* eventually("the server is another one", () => server.pid() !== undefined && server.pid() !== stopped)
      yield* Context.get(theirs, Sites)
        .archive(ID)
        .pipe(Effect.retry(Schedule.spaced("100 millis")), Effect.timeout("20 seconds"))
      yield* eventually("the change is followed", () => sites.find(ID) === undefined)
    })
  )
}, 60_000)
