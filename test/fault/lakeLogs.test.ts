import { expect, test } from "bun:test"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { Effect } from "effect"
import { makeCatalog } from "../../layers/iceberg/catalog/makeCatalog.ts"
import { encodeEvent } from "../../layers/iceberg/log/records.ts"
import { makeLakeWriter } from "../../layers/iceberg/writer/LakeWriter.ts"
import { openSpool } from "../../layers/spool/Spool.ts"
import { run } from "../support/controlPlane.ts"
import { readLakeTable } from "../support/lakeStorage.ts"
import { temporaryFolder } from "../support/postgres.ts"
import { event } from "../support/records.ts"

const SEGMENT_BYTES = 1 << 20

/** Ten more events in a log, which nobody uses afterwards; the answer is what a lake's writer is told of it. */
const appendTo = (folder: string) =>
  Effect.gen(function* () {
    const spool = yield* openSpool({
      folder,
      maxPending: 100,
      maxBytes: SEGMENT_BYTES * 8,
      timeoutMs: 5_000,
      segmentBytes: SEGMENT_BYTES
    })
    for (let index = 0; index < 10; index++) yield* spool.append(encodeEvent(event(), null, Date.now()))
    return { log: { folder, id: spool.id, oldest: spool.oldest }, upTo: spool.durable() }
  }).pipe(Effect.scoped)

test(
  "a log that is taken over, used by another collector, and taken over again is in the table once",
  () =>
    run(
      Effect.gen(function* () {
        const folder = temporaryFolder()
        const warehouse = pathToFileURL(join(folder, "lake")).href
        const lake = { catalog: yield* makeCatalog({ type: "hadoop", warehouse }), namespace: ["product_analytics"] }
        const [own, left] = [join(folder, "0"), join(folder, "1")]
        const heir = makeLakeWriter(lake)
        const flush = (writer: typeof heir, { log, upTo }: Effect.Success<ReturnType<typeof appendTo>>) =>
          // Another part of the log that came in meanwhile is found out once, then the log is read again.
          Effect.retry(writer.flush(log, upTo), { times: 1, while: (error) => error.reason === "Invalid" })

        yield* flush(heir, yield* appendTo(left))
        yield* flush(makeLakeWriter(lake), yield* appendTo(left))
        // Its next commit meets the other's, so that it knows the table as it is now.
        yield* flush(heir, yield* appendTo(own))
        yield* flush(heir, yield* appendTo(left))

        const ids = (yield* readLakeTable(lake, "pa_events")).map((row) => row["event_id"])
        expect([ids.length, new Set(ids).size]).toEqual([40, 40])
      })
    ),
  30_000
)
