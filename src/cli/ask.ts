import { Effect, Result } from "effect"
import { Argument, Command } from "effect/cli"
import { parseSentence } from "../query/sentence/parse.ts"
import { askAndPrint, askFlags, type RefusalWords, WHO_ANSWERS } from "./askAnywhere.ts"
import { UsageError } from "./UsageError.ts"

const WORDS: RefusalWords = {
  "several-currencies":
    "The sites have different currencies: add `in` and a currency, as in `in EUR`, or `on` and the name of a site."
}

/** The sentence with a mark below the character at which it was not understood. */
const misunderstood = (sentence: string, at: number, detail: string) =>
  new UsageError({
    message: `${detail}\n\n  ${sentence.replaceAll(/\s/g, " ")}\n  ${" ".repeat(Bun.stringWidth(sentence.slice(0, at - 1)))}^`
  })

export const ask = Command.make(
  "ask",
  {
    sentence: Argument.String("sentence").pipe(
      Argument.withDescription(
        "What to compute [of an event] [where …] [by …] [over …] [on a site] [in a currency] [top n]"
      ),
      Argument.variadic({ min: 1 })
    ),
    ...askFlags
  },
  Effect.fn(function* ({ sentence: words, ...flags }) {
    const sentence = words.join(" ")
    const parsed = parseSentence(sentence)
    if (Result.isFailure(parsed)) {
      return yield* misunderstood(sentence, parsed.failure.at, parsed.failure.detail)
    }
    yield* askAndPrint(flags, parsed.success, WORDS)
  })
).pipe(
  Command.withDescription(`Answer a question in a sentence. ${WHO_ANSWERS}`),
  Command.withExamples([
    {
      command: "bun run footfall ask 'count of signup by plan over last 30 days'",
      description: "Events by a property"
    },
    {
      command: "bun run footfall ask 'visitors by country over this month top 10'",
      description: "The most frequent countries"
    },
    {
      command: "bun run footfall ask 'bounce rate where page starts with /blog by week over this year'",
      description: "A metric over time"
    }
  ])
)
