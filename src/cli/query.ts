import { Effect, FileSystem } from "effect"
import { Argument, Command } from "effect/cli"
import { askAndPrint, askFlags, WHO_ANSWERS } from "./askAnywhere.ts"
import { UsageError } from "./UsageError.ts"

const readText = (file: string) =>
  file === "-"
    ? Effect.promise(() => Bun.stdin.text())
    : Effect.flatMap(FileSystem.FileSystem, (files) => files.readFileString(file)).pipe(
        Effect.mapError(
          () =>
            new UsageError({
              message: `${file} can't be read. Give the path of a question in JSON, or - for standard input.`
            })
        )
      )

const parseJson = (file: string, text: string): Effect.Effect<unknown, UsageError> =>
  Effect.try({
    try: () => JSON.parse(text) as unknown,
    catch: () => new UsageError({ message: `${file === "-" ? "Standard input" : file} is not JSON.` })
  })

export const query = Command.make(
  "query",
  {
    file: Argument.String("file").pipe(Argument.withDescription("A question in FQL/1 (JSON); - reads standard input")),
    ...askFlags
  },
  Effect.fn(function* ({ file, ...flags }) {
    yield* askAndPrint(flags, yield* parseJson(file, yield* readText(file)))
  })
).pipe(
  Command.withDescription(`Answer a question in FQL/1. ${WHO_ANSWERS}`),
  Command.withExamples([
    { command: "bun run footfall query pageviews.json", description: "Print a table" },
    { command: "bun run footfall query - --format csv < pageviews.json", description: "Print CSV" }
  ])
)
