import { Console, Effect } from "effect"
import type { QueryError } from "../ports/QueryEngine.ts"
import { CommandFailure } from "./CommandFailure.ts"
import { firstLine } from "./output.ts"

/** Prints why an engine could not answer, and ends the command with 1. */
export const reportQueryError = ({ message }: QueryError): Effect.Effect<never, CommandFailure> =>
  Effect.andThen(Console.error(firstLine(message)), Effect.fail(new CommandFailure({ message })))
