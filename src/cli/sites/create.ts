import { Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { Sites } from "../../ports/Sites.ts"
import { json } from "../output.ts"
import { domainFlag, givenValues, optionalString, valueFlags } from "./flags.ts"
import { printSite } from "./print.ts"

export const create = Command.make(
  "create",
  {
    name: Flag.String("name").pipe(Flag.withDescription("The site's display name")),
    id: optionalString("id", "A UUID of your choice, such as the site's id in Umami; default: a random one"),
    domain: domainFlag("repeat it for more domains, omit it to allow every origin"),
    ...valueFlags,
    json
  },
  Effect.fn(function* (flags) {
    const values = yield* givenValues(flags)
    const id = Option.getOrNull(flags.id)
    const site = yield* (yield* Sites).create({
      ...values,
      ...(id !== null && { id }),
      name: flags.name,
      domains: flags.domain
    })
    yield* printSite(site, {
      json: flags.json,
      heading: "Created. Every collector accepts its events within 5 seconds."
    })
  })
).pipe(
  Command.withDescription("Register a site and print its snippet"),
  Command.withExamples([
    {
      command: 'bun run footfall sites create --name "My shop" --domain example.com',
      description: "Register a site for example.com and www.example.com"
    },
    {
      command: "bun run footfall sites create --name Apps --domain '*.example.com' --domain localhost",
      description: "Allow subdomains, and any port of this machine"
    }
  ])
)
