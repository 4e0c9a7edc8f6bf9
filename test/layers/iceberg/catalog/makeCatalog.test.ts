import { expect, test } from "bun:test"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { Effect } from "effect"
import { type CatalogConfig, makeCatalog } from "../../../../layers/iceberg/catalog/makeCatalog.ts"
import { temporaryFolder } from "../../../support/postgres/postgres.ts"

const PROJECT = join(import.meta.dir, "../../../..")

test("a catalog of local files does not load the AWS SDK", async () => {
  const program = `
    Bun.plugin({ name: "no AWS", setup: (build) => build.onLoad({ filter: /node_modules.@(aws-sdk|smithy)/ }, ({ path }) => { throw new Error("loaded " + path) }) })
    const { Effect } = await import("effect")
    const { makeCatalog } = await import("./layers/iceberg/catalog/makeCatalog.ts")
    const { NEW_TABLE, append } = await import("./test/layers/iceberg/catalog/tables.ts")
    await Effect.runPromise(Effect.scoped(Effect.gen(function* () {
      const catalog = yield* makeCatalog({ type: "hadoop", warehouse: process.argv[1] })
      const table = yield* catalog.create({ namespace: ["web"], name: "events" }, NEW_TABLE)
      yield* catalog.commit(table, append(table))
    })))
    console.log("done")`
  const ran = Bun.spawn([process.execPath, "-e", program, pathToFileURL(temporaryFolder()).href], {
    cwd: PROJECT,
    stdout: "pipe",
    stderr: "pipe"
  })
  const [printed, errors] = await Promise.all([new Response(ran.stdout).text(), new Response(ran.stderr).text()])
  expect([printed, errors]).toEqual(["done\n", ""])
})

test.each<[string, CatalogConfig]>([
  ["gs://bucket/wh", { type: "hadoop", warehouse: "gs://bucket/wh" }],
  ["lake", { type: "glue", warehouse: "lake" }]
])("the warehouse %s is refused with the supported locations in the message", async (warehouse, config) => {
  const error = await Effect.runPromise(Effect.scoped(Effect.flip(makeCatalog(config))))
  expect(error.reason).toBe("Invalid")
  expect(error.message).toBe(`Unsupported warehouse location ${warehouse}: use s3://bucket/path or file:///path.`)
})
