import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import type { Site } from "../domain/Site.ts"
import type { SiteValues } from "../domain/siteValues.ts"
import { siteJson } from "../http/shared/json/site.ts"
import { publicUrl } from "../http/shared/publicUrl.ts"
import { Settings } from "../ports/Settings.ts"
import { Sites, type SiteUpdate } from "../ports/Sites.ts"
import { TRACKER_SCRIPT_URL } from "../settings/settings.ts"
import { details, json, printJson, table } from "./output.ts"
import { id, siteId } from "./siteId.ts"
import { siteStats } from "./siteStats.ts"
import { WrongUsage } from "./WrongUsage.ts"

const optionalText = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional)

const values = {
  domain: Flag.String("domain").pipe(
    Flag.withDescription(
      "Whose pages may send events: `example.com` (with `www.`), `*.example.com`, `localhost:8080`; repeat for more, leave out for all"
    ),
    Flag.atLeast(0)
  ),
  timezone: optionalText("timezone", "IANA time zone of reports, such as Europe/Berlin"),
  weekStart: Flag.Literals("week-start", ["monday", "sunday"]).pipe(
    Flag.withDescription("First day of the week in reports"),
    Flag.optional
  ),
  currency: optionalText("currency", "ISO 4217 code of revenue in reports, such as EUR"),
  rate: Flag.Finite("rate").pipe(
    Flag.withDescription("Events a second that the site may send to each collector process"),
    Flag.optional
  ),
  burst: Flag.Finite("burst").pipe(
    Flag.withDescription("Events that it may send at once before the rate applies; twice the rate unless given"),
    Flag.optional
  )
}

const refuseTogether = (flags: {
  readonly domain: ReadonlyArray<string>
  readonly rate: Option.Option<number>
  readonly burst: Option.Option<number>
  readonly anyDomain?: boolean
  readonly noRate?: boolean
}): Effect.Effect<void, WrongUsage> => {
  const no = (message: string) => Effect.fail(new WrongUsage({ message }))
  if (flags.anyDomain && flags.domain.length > 0) return no("--any-domain takes all domains away: leave --domain out.")
  if (flags.noRate && Option.isSome(flags.rate)) return no("--no-rate takes the limit away: leave --rate out.")
  if (Option.isSome(flags.burst) && Option.isNone(flags.rate)) return no("--burst goes with --rate: give both.")
  return Effect.void
}

const given = (flags: {
  readonly timezone: Option.Option<string>
  readonly weekStart: Option.Option<string>
  readonly currency: Option.Option<string>
  readonly rate: Option.Option<number>
  readonly burst: Option.Option<number>
}): SiteValues => {
  const rate = Option.getOrUndefined(flags.rate)
  return {
    ...Option.match(flags.timezone, { onNone: () => ({}), onSome: (timezone) => ({ timezone }) }),
    ...Option.match(flags.weekStart, { onNone: () => ({}), onSome: (weekStart) => ({ weekStart }) }),
    ...Option.match(flags.currency, { onNone: () => ({}), onSome: (currency) => ({ currency }) }),
    ...(rate !== undefined && {
      rateLimit: {
        eventsPerSecond: rate,
        burst: Option.getOrElse(flags.burst, () => Math.max(1, Math.ceil(rate * 2)))
      }
    })
  }
}

const rateText = ({ rateLimit }: Site) =>
  rateLimit === null ? "the instance's" : `${rateLimit.eventsPerSecond}/s, burst ${rateLimit.burst}`

const show = Effect.fnUntraced(function* (site: Site, asJson: boolean, heading?: string) {
  const settings = yield* Settings
  const shown = siteJson(site, { scriptUrl: settings.get(TRACKER_SCRIPT_URL), hostUrl: publicUrl(settings, null) })
  if (asJson) return yield* printJson(shown)
  if (heading !== undefined) yield* Console.log(`${heading}\n`)
  yield* Console.log(
    details([
      ["id", site.id],
      ["name", site.name],
      ["domains", site.domains.length === 0 ? "all" : site.domains.join(", ")],
      ["state", site.archived ? "archived: takes no events" : "live"],
      ["rate limit", rateText(site)],
      ["time zone", site.timezone],
      ["week starts", site.weekStart],
      ["currency", site.currency],
      ["created", site.createdAt.toISOString()],
      ["changed", site.updatedAt.toISOString()]
    ])
  )
  if (!site.archived) yield* Console.log(`\nPaste this into the <head> of your pages:\n\n${shown.tracking_snippet}`)
})

const create = Command.make(
  "create",
  {
    name: Flag.String("name").pipe(Flag.withDescription("What people call the site")),
    id: Flag.String("id").pipe(
      Flag.withDescription("A UUID of your own, such as the site's id in Umami"),
      Flag.optional
    ),
    ...values,
    json
  },
  Effect.fn(function* (flags) {
    yield* refuseTogether(flags)
    const site = yield* (yield* Sites).create({
      name: flags.name,
      domains: flags.domain,
      ...Option.match(flags.id, { onNone: () => ({}), onSome: (id) => ({ id }) }),
      ...given(flags)
    })
    yield* show(site, flags.json, "Created. Every collector takes its events within 5 seconds.")
  })
).pipe(
  Command.withDescription("Register a site and print its snippet"),
  Command.withExamples([
    {
      command: 'bun run footfall sites create --name "My shop" --domain example.com',
      description: "A site for example.com and www.example.com"
    },
    {
      command: "bun run footfall sites create --name Apps --domain '*.example.com' --domain localhost",
      description: "Sub-domains, and any port of this machine"
    }
  ])
)

const list = Command.make(
  "list",
  {
    archived: Flag.Boolean("archived").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Show archived sites as well")
    ),
    json
  },
  Effect.fn(function* ({ archived, json: asJson }) {
    const settings = yield* Settings
    const all = yield* (yield* Sites).list({ archived })
    if (asJson) {
      const snippet = { scriptUrl: settings.get(TRACKER_SCRIPT_URL), hostUrl: publicUrl(settings, null) }
      return yield* printJson(all.map((site) => siteJson(site, snippet)))
    }
    if (all.length === 0)
      return yield* Console.log('There are no sites yet: `bun run footfall sites create --name "My site"` makes one.')
    yield* Console.log(
      table(
        ["ID", "NAME", "DOMAINS", "RATE LIMIT", "STATE"],
        all.map((site) => [
          site.id,
          site.name,
          site.domains.length === 0 ? "all" : site.domains.join(", "),
          rateText(site),
          site.archived ? "archived" : "live"
        ])
      )
    )
  })
).pipe(Command.withDescription("List the sites by name"))

const showOne = Command.make(
  "show",
  { id, json },
  Effect.fn(function* ({ id: text, json: asJson }) {
    yield* show(yield* (yield* Sites).get(yield* siteId(text)), asJson)
  })
).pipe(Command.withDescription("Show a site and its snippet"))

const flag = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDefault(false), Flag.withDescription(description))

const update = Command.make(
  "update",
  {
    id,
    name: optionalText("name", "What people call the site"),
    ...values,
    anyDomain: flag("any-domain", "Take the domains away: every page may send events"),
    noRate: flag("no-rate", "Take the site's own rate limit away"),
    restore: flag("restore", "Make an archived site live again"),
    json
  },
  Effect.fn(function* (flags) {
    yield* refuseTogether(flags)
    const change: SiteUpdate = {
      ...Option.match(flags.name, { onNone: () => ({}), onSome: (name) => ({ name }) }),
      ...(flags.domain.length > 0 && { domains: flags.domain }),
      ...(flags.anyDomain && { domains: [] }),
      ...given(flags),
      ...(flags.noRate && { rateLimit: null }),
      ...(flags.restore && { archived: false })
    }
    if (Object.keys(change).length === 0) {
      return yield* new WrongUsage({
        message: "Nothing to change was given; `bun run footfall sites update --help` shows the flags."
      })
    }
    const site = yield* (yield* Sites).update(yield* siteId(flags.id), change)
    yield* show(site, flags.json, "Changed. In force on every collector within 5 seconds.")
  })
).pipe(
  Command.withDescription("Change a site; what is not given stays, --domain replaces all domains"),
  Command.withExamples([
    {
      command: "bun run footfall sites update 3f1c… --name Store --rate 50",
      description: "Rename, and limit to 50 events a second"
    }
  ])
)

const remove = Command.make(
  "delete",
  { id, json },
  Effect.fn(function* ({ id: text, json: asJson }) {
    const site = yield* (yield* Sites).archive(yield* siteId(text))
    yield* show(
      site,
      asJson,
      "Archived: it takes no more events, and keeps those it has. `bun run footfall sites update ID --restore` revives it."
    )
  })
).pipe(Command.withDescription("Archive a site: it takes no more events and keeps those it has"))

export const sites = Command.make("sites").pipe(
  Command.withDescription("Register sites, change and archive them, and see their numbers"),
  Command.withSubcommands([create, list, showOne, siteStats, update, remove])
)
