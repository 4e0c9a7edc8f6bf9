import { Effect } from "effect"
import { Command } from "effect/cli"
import { Sites } from "../../ports/Sites.ts"
import { json } from "../output.ts"
import { printSite } from "./print.ts"
import { id, siteId } from "./siteId.ts"

export const show = Command.make(
  "show",
  { id, json },
  Effect.fn(function* (flags) {
    yield* printSite(yield* (yield* Sites).get(yield* siteId(flags.id)), { json: flags.json })
  })
).pipe(Command.withDescription("Show a site and its snippet"))
