import { Console, Context, Effect, Option, Predicate, type Redacted } from "effect"
import { Flag } from "effect/cli"
import type { QueryError } from "../ports/QueryEngine.ts"
import type { Answer } from "../query/answer.ts"
import { COMPARE_VALUES } from "../query/compare/otherPeriod.ts"
import type { FqlError, FqlErrorCode } from "../query/fql/FqlError.ts"
import { answerCsv, answerTable, answerWarnings } from "./answers.ts"
import { CommandFailure } from "./CommandFailure.ts"
import { printJson } from "./output.ts"
import { reportQueryError } from "./reportQueryError.ts"
import {
  apiKey,
  bearer,
  credentialFor,
  detailOf,
  isOnThisMachine,
  key,
  request,
  type ServerResponse,
  serverUrl,
  url
} from "./server.ts"
import { UsageError } from "./UsageError.ts"

/** Asks the engine itself, for when no server runs. Opens the app database when it is called. */
export class AskDirectly extends Context.Service<
  AskDirectly,
  (question: unknown) => Effect.Effect<Answer, FqlError | QueryError | UsageError | CommandFailure>
>()("footfall/cli/AskDirectly") {}

export const askFlags = {
  format: Flag.Literals("format", ["table", "csv", "json"]).pipe(
    Flag.withDefault("table"),
    Flag.withDescription("How to print the answer")
  ),
  compare: Flag.String("compare").pipe(
    Flag.optional,
    Flag.withDescription(`Compare with ${COMPARE_VALUES.replaceAll("`", "")}`)
  ),
  url,
  key
}

interface AskFlags {
  readonly format: "table" | "csv" | "json"
  readonly compare: Option.Option<string>
  readonly url: Option.Option<string>
  readonly key: Option.Option<Redacted.Redacted<string>>
}

/** A question may take as long as the server lets it, which is longer than other requests. */
const ANSWER_SECONDS = 3_700

const at = (pointer: unknown, detail: string): string =>
  typeof pointer === "string" && pointer !== "" ? `At ${pointer}: ${detail}` : detail

/** What replaces a refusal's own words, by its code; null for a question in JSON, whose refusals also say where it is wrong. */
export type RefusalWords = Readonly<Partial<Record<FqlErrorCode, string>>> | null

const refusal = (words: RefusalWords, code: unknown, pointer: unknown, detail: string): string =>
  words === null ? at(pointer, detail) : (Object.entries(words).find(([one]) => one === code)?.[1] ?? detail)

/** A refused question is the caller's mistake; everything else is a failure. */
const problemOf = ({ body, status }: ServerResponse, server: string, words: RefusalWords) => {
  const detail = detailOf(body) ?? `it responded with ${status}`
  const { code, pointer } = (Predicate.isObject(body) ? body : {}) as Readonly<Record<string, unknown>>
  if (status === 400 || (status === 404 && code === "not-found")) {
    return new UsageError({ message: refusal(words, code, pointer, detail) })
  }
  return new CommandFailure({ message: `${server} can't answer: ${detail}` })
}

const askServer = Effect.fnUntraced(function* (server: string, token: string, question: unknown, words: RefusalWords) {
  const response = yield* request(
    `${server}/api/dataset`,
    {
      method: "POST",
      headers: { ...bearer(token).headers, "content-type": "application/json" } as Record<string, string>,
      body: JSON.stringify(question)
    },
    ANSWER_SECONDS
  )
  if (response.status !== 200) return yield* problemOf(response, server, words)
  return response.body as Answer
})

/** Why a server cannot be asked without a key: nothing responds at its address, or it needs one. */
const needsKey = Effect.fnUntraced(function* (server: string) {
  yield* Effect.mapError(
    request(`${server}/livez`),
    ({ why }) => new CommandFailure({ message: `${server} can't be reached: ${why}.` })
  )
  const here = isOnThisMachine(server) ? ", or set DATA_DIR to the server's folder" : ""
  return yield* new UsageError({ message: `${server} needs a key: pass --key, or set FOOTFALL_KEY${here}.` })
})

const WITHOUT_KEY =
  "A key is for the running server: start it, or leave out --key and FOOTFALL_KEY to ask where the events are stored."

/**
 * Asks the server that `--url` names or that runs here, with a key or as a command on its machine. Without a key and an address, asks the
 * engine itself when no server runs here or when it needs a key.
 */
const askAnywhere = Effect.fnUntraced(function* (flags: AskFlags, question: unknown, words: RefusalWords) {
  const direct = yield* AskDirectly
  const hasKey = apiKey(flags.key) !== null
  // With PORT=0, only the server knows its address.
  const server = yield* serverUrl(flags.url).pipe(
    Effect.catchTag("UsageError", (error) => (hasKey ? Effect.fail(error) : Effect.succeed(null)))
  )
  const token = server === null ? null : yield* credentialFor(server, flags.key)
  if (server === null || token === null) {
    return yield* server !== null && Option.isSome(flags.url) ? needsKey(server) : direct(question)
  }
  return yield* askServer(server, token, question, words).pipe(
    Effect.catchTag("ServerUnreachable", ({ message }) => {
      if (Option.isSome(flags.url)) return Effect.fail(new CommandFailure({ message: `${message}.` }))
      return hasKey ? Effect.fail(new CommandFailure({ message: `${message}. ${WITHOUT_KEY}` })) : direct(question)
    })
  )
})

/** Who answers, for the descriptions of commands. */
export const WHO_ANSWERS =
  "The running server answers. If none runs here, and no key or address is given, the command asks where the events are stored."

const refused = ({ code, detail, pointer }: FqlError, words: RefusalWords) =>
  new UsageError({ message: refusal(words, code, pointer, detail) })

/** A failure that the caller has not seen yet. */
const reported = (error: CommandFailure) => Effect.andThen(Console.error(error.message), Effect.fail(error))

/** The question with the comparison of the flag. What is not a question stays as it is, and is refused later. */
const compared = ({ compare }: AskFlags, question: unknown): unknown => {
  if (Option.isNone(compare) || !Predicate.isObject(question) || Array.isArray(question)) return question
  const settings = Predicate.hasProperty(question, "settings") ? question.settings : {}
  return { ...question, settings: { ...(Predicate.isObject(settings) && settings), compare: compare.value } }
}

/** Asks a question and prints the answer. */
export const askAndPrint = (flags: AskFlags, question: unknown, words: RefusalWords = null) =>
  Effect.flatMap(askAnywhere(flags, compared(flags, question), words), (answer) => {
    if (flags.format === "json") return printJson(answer)
    // Not among the data, which may go to another program.
    return Effect.andThen(
      Console.log(flags.format === "csv" ? answerCsv(answer) : answerTable(answer)),
      Effect.forEach(answerWarnings(answer), (warning) => Console.error(warning), { discard: true })
    )
  }).pipe(
    Effect.catchTags({
      FqlError: (error) => Effect.fail(refused(error, words)),
      QueryError: reportQueryError,
      CommandFailure: reported
    })
  )
