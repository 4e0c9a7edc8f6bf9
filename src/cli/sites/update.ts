import { Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { Sites, type SiteUpdate } from "../../ports/Sites.ts"
import { json } from "../output.ts"
import { UsageError } from "../UsageError.ts"
import { domainFlag, givenValues, optionalString, type ValueFlags, valueFlags } from "./flags.ts"
import { printSite } from "./print.ts"
import { id, siteId } from "./siteId.ts"

const flag = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDefault(false), Flag.withDescription(description))

interface UpdateFlags extends ValueFlags {
  readonly name: Option.Option<string>
  readonly anyDomain: boolean
  readonly noRate: boolean
  readonly restore: boolean
}

const changeOf = Effect.fnUntraced(function* (flags: UpdateFlags) {
  const fail = (message: string) => new UsageError({ message })
  if (flags.anyDomain && flags.domain.length > 0) return yield* fail("--any-domain cannot be combined with --domain.")
  if (flags.noRate && Option.isSome(flags.rate)) return yield* fail("--no-rate cannot be combined with --rate.")
  const name = Option.getOrNull(flags.name)
  const change: SiteUpdate = {
    ...(yield* givenValues(flags)),
    ...(name !== null && { name }),
    ...(flags.domain.length > 0 && { domains: flags.domain }),
    ...(flags.anyDomain && { domains: [] }),
    ...(flags.noRate && { rateLimit: null }),
    ...(flags.restore && { archived: false })
  }
  if (Object.keys(change).length === 0) {
    return yield* fail("No change was given. Run `bun run footfall sites update --help` to see the flags.")
  }
  return change
})

export const update = Command.make(
  "update",
  {
    id,
    name: optionalString("name", "The site's display name"),
    domain: domainFlag("repeat it for more domains; the given domains replace all others"),
    ...valueFlags,
    anyDomain: flag("any-domain", "Remove the domains, so that every origin may send events"),
    noRate: flag("no-rate", "Remove the site's own rate limit"),
    restore: flag("restore", "Restore an archived site"),
    json
  },
  Effect.fn(function* (flags) {
    const change = yield* changeOf(flags)
    const site = yield* (yield* Sites).update(yield* siteId(flags.id), change)
    yield* printSite(site, { json: flags.json, heading: "Updated. Every collector picks it up within 5 seconds." })
  })
).pipe(
  Command.withDescription("Change a site; omitted values stay the same, and --domain replaces all domains"),
  Command.withExamples([
    {
      command: "bun run footfall sites update 3f1c… --name Store --rate 50",
      description: "Rename a site and limit it to 50 events per second"
    }
  ])
)
