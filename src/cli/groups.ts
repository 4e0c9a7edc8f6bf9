import { Console, Effect } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { ADMINISTRATORS, CollectionLevel, type GroupId, PRODUCT_ANALYTICS } from "../domain/people.ts"
import { groupJson, memberJson } from "../http/shared/json/group.ts"
import { Groups } from "../ports/Groups.ts"
import { groupOf } from "./groupFlag.ts"
import { json, plural, printJson, table } from "./output.ts"
import { siteId } from "./sites/siteId.ts"
import { UsageError } from "./UsageError.ts"
import { userArgument, userIdOf } from "./userArgument.ts"

const group = Argument.String("group").pipe(
  Argument.withDescription("The group's name or id; `bun run footfall groups list` shows both")
)

/** Other changes of the permissions in between may make this one wait its turn. */
const MAX_ATTEMPTS = 5

/** Sets what a group may do in Product Analytics. */
const setLevel = (id: GroupId, level: CollectionLevel) =>
  Effect.gen(function* () {
    const groups = yield* Groups
    const { revision } = yield* groups.graph
    yield* groups.setGraph(revision, new Map([[id, new Map([[PRODUCT_ANALYTICS.id, level]])]]))
  }).pipe(Effect.retry({ times: MAX_ATTEMPTS - 1, while: ({ reason }) => reason === "Stale" }))

export const create = Command.make(
  "create",
  {
    name: Flag.String("name").pipe(Flag.withDescription("The group's name")),
    level: Flag.Literals("level", CollectionLevel.literals).pipe(
      Flag.withDescription("What its members may do in Product Analytics: `read` is to see and query; default: none"),
      Flag.withDefault("none")
    ),
    site: Flag.String("site").pipe(
      Flag.withDescription("The id of a site that its members see; may be repeated; default: all sites"),
      Flag.between(0, 1_000)
    ),
    json
  },
  Effect.fn(function* ({ level, name, site, ...flags }) {
    const groups = yield* Groups
    const siteLimit = yield* Effect.forEach(site, siteId)
    const { id } = yield* groups.create({ name, ...(siteLimit.length > 0 && { siteLimit }) })
    if (level !== "none") yield* setLevel(id, level)
    const created = yield* groups.get(id)
    yield* flags.json
      ? printJson(groupJson(created))
      : Console.log(`Created the group ${created.name} with the id ${id}.`)
  })
).pipe(
  Command.withDescription("Create a group of users, who share permissions"),
  Command.withExamples([
    {
      command: "bun run footfall groups create --name Analysts --level read",
      description: "Create a group that may see and query everything"
    }
  ])
)

const sitesText = (limit: ReadonlyArray<string> | null): string =>
  limit === null ? "all" : limit.length === 0 ? "none" : limit.join(", ")

export const list = Command.make(
  "list",
  { json },
  Effect.fn(function* (flags) {
    const all = yield* (yield* Groups).list
    if (flags.json) return yield* printJson(all.map(groupJson))
    yield* Console.log(
      table(
        ["ID", "NAME", "MEMBERS", "LEVEL", "SITES"],
        all.map(({ id, level, memberCount, name, siteLimit }) => [
          String(id),
          name,
          String(memberCount),
          level,
          sitesText(siteLimit)
        ])
      )
    )
  })
).pipe(Command.withDescription("List the groups with what they may do in Product Analytics, and on which sites"))

export const remove = Command.make(
  "delete",
  {
    group,
    yes: Flag.Boolean("yes").pipe(Flag.withDefault(false), Flag.withDescription("Really delete the group"))
  },
  Effect.fn(function* (flags) {
    const groups = yield* Groups
    const { id, memberCount, name } = yield* groups.get(yield* groupOf(flags.group))
    if (!flags.yes && id > ADMINISTRATORS) {
      return yield* new UsageError({
        message: `This deletes the group ${name}, takes its permissions from ${plural(memberCount, "active user")}, and revokes its keys. Add --yes to do it.`
      })
    }
    yield* groups.remove(id)
    yield* Console.log(`Deleted the group ${name}. Its members stay.`)
  })
).pipe(Command.withDescription("Delete a group and revoke its keys; its members stay"))

export const add = Command.make(
  "add",
  { group, user: userArgument, json },
  Effect.fn(function* (flags) {
    const groups = yield* Groups
    const { id, name } = yield* groups.get(yield* groupOf(flags.group))
    const member = yield* groups.addMember(id, yield* userIdOf(flags.user))
    yield* flags.json ? printJson(memberJson(member)) : Console.log(`Added ${member.name} to ${name}.`)
  })
).pipe(
  Command.withDescription("Add a user to a group; takes effect within 5 seconds"),
  Command.withExamples([
    {
      command: "bun run footfall groups add Analysts ada@example.com",
      description: "Give the user with this email the permissions of the group"
    }
  ])
)

export const leave = Command.make(
  "remove",
  { group, user: userArgument, json },
  Effect.fn(function* (flags) {
    const groups = yield* Groups
    const { id, name } = yield* groups.get(yield* groupOf(flags.group))
    const member = yield* groups.member(id, yield* userIdOf(flags.user))
    if (member.membershipId !== null) yield* groups.removeMember(member.membershipId)
    yield* flags.json ? printJson(memberJson(member)) : Console.log(`Removed ${member.name} from ${name}.`)
  })
).pipe(Command.withDescription("Remove a user from a group; takes effect within 5 seconds"))

/** The parent of the `groups` commands. Only some of them may create an instance, so the process that runs them lists them. */
export const groups = Command.make("groups").pipe(
  Command.withDescription("Create, list and delete groups of users, and add and remove members")
)
