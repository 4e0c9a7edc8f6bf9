import { expect, test } from "bun:test"
import { Effect } from "effect"
import { lastWords } from "../../../layers/duckdb/child/lastWords.ts"
import { makeQueryChild } from "../../../layers/duckdb/child/QueryChild.ts"
import { StartError } from "../../../src/domain/StartError.ts"

test("when DuckDB's process ends with an error, the message has what it printed about it, without passwords", async () => {
  const ends: Array<string> = []
  const ended = Promise.withResolvers<void>()
  const error = await Effect.gen(function* () {
    const child = yield* makeQueryChild<null, null>({
      entry: new URL("../../support/process/failingChild.ts", import.meta.url),
      open: null,
      openMs: 30_000,
      refused: (message) => new StartError({ message }),
      onExit: (how) => {
        ends.push(how)
        ended.resolve()
      }
    })
    const failure = yield* Effect.flip(child.run(null))
    yield* Effect.promise(() => ended.promise)
    return failure
  }).pipe(Effect.scoped, Effect.runPromise)
  const how = "code 1 (error: can't open postgres://…@localhost/footfall)"
  expect(ends).toEqual([how])
  expect([error.reason, error.message]).toEqual([
    "Unavailable",
    `DuckDB's process ended with ${how} during the query. The next query starts it again.`
  ])
}, 60_000)

test.each([
  ["", null],
  ["\n \n", null],
  ["a warning\nthe last line\n", "the last line"],
  [
    "TypeError: x is not a function\n      at run (/app/x.ts:1:2)\n\nBun v1.4.5 (Linux x64)\n",
    "TypeError: x is not a function"
  ],
  [
    "panic(main thread): Segmentation fault at address 0x0\noh no: Bun has crashed.\n",
    "panic(main thread): Segmentation fault at address 0x0"
  ],
  ["terminate called after throwing\n  what():  No space left on device\n", "what():  No space left on device"],
  ["error: secret_access_key='abc', region=eu", "error: secret_access_key=… region=eu"],
  [`error: ${"x".repeat(400)}`, `error: ${"x".repeat(293)}…`]
])("the output %j is summed up as %j", (output, expected) => {
  expect(lastWords(output)).toBe(expected)
})
