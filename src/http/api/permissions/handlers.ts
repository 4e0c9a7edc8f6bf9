import { Effect, Result } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import type { SiteId } from "../../../domain/ids.ts"
import { CollectionId, type CollectionLevel, GroupId, isId, UserId } from "../../../domain/people.ts"
import { parseSiteId } from "../../../domain/siteValues.ts"
import { Groups, type PermissionGraph, type PermissionLevels } from "../../../ports/Groups.ts"
import { below } from "../../../query/fql/FqlError.ts"
import { noSuch } from "../../shared/json/fields.ts"
import { groupJson, memberJson } from "../../shared/json/group.ts"
import { AdminApi } from "../AdminApi.ts"
import { changeProblem, readProblem, unavailable } from "../peopleProblem.ts"
import { BadRequest, UnprocessableContent } from "../problems.ts"

/** The wording of the contract, section 1.2. */
const CONTROLLED_BY_COLLECTION = "Permissions of the Product Analytics database are controlled by its collection."

const graphJson = ({ groups, revision }: PermissionGraph) => ({
  revision,
  groups: Object.fromEntries([...groups].map(([id, levels]) => [String(id), Object.fromEntries(levels)]))
})

const isKey = (given: string): boolean => /^[1-9]\d*$/.test(given) && isId(Number(given))

/** The levels; fails with every key that cannot be an id. */
const levelsOf = (
  groups: Readonly<Record<string, Readonly<Record<string, CollectionLevel>>>>
): Result.Result<PermissionLevels, UnprocessableContent> => {
  const wrong = Object.entries(groups).flatMap(([group, levels]) => [
    ...(isKey(group) ? [] : [{ pointer: `#${below("/groups", group)}`, detail: noSuch("group", group) }]),
    ...Object.keys(levels)
      .filter((collection) => !isKey(collection))
      .map((collection) => ({
        pointer: `#${below("/groups", group, collection)}`,
        detail: noSuch("collection", collection)
      }))
  ])
  if (wrong.length > 0) {
    return Result.fail(new UnprocessableContent({ detail: wrong.map(({ detail }) => detail).join(" "), errors: wrong }))
  }
  return Result.succeed(
    new Map(
      Object.entries(groups).map(([group, levels]) => [
        GroupId.make(Number(group)),
        new Map(Object.entries(levels).map(([collection, level]) => [CollectionId.make(Number(collection)), level]))
      ])
    )
  )
}

interface GivenGroup {
  readonly name?: string
  readonly site_limit?: ReadonlyArray<string> | null
}

/** The group's values; fails with every id that is not a UUID. */
const groupOf = ({ name, site_limit: given }: GivenGroup) => {
  const wrong = (given ?? []).flatMap((id, index) =>
    parseSiteId(id) === null
      ? [
          {
            pointer: `#/site_limit/${index}`,
            detail: `${JSON.stringify(id.slice(0, 100))} is not the id of a site, a UUID.`
          }
        ]
      : []
  )
  if (wrong.length > 0) {
    return Result.fail(new UnprocessableContent({ detail: wrong.map(({ detail }) => detail).join(" "), errors: wrong }))
  }
  const siteLimit = given?.map((id) => parseSiteId(id) as SiteId) ?? null
  return Result.succeed({ ...(name !== undefined && { name }), ...(given !== undefined && { siteLimit }) })
}

export const PermissionsHandlers = HttpApiBuilder.group(
  AdminApi,
  "permissions",
  Effect.fn(function* (handlers) {
    const groups = yield* Groups
    return handlers.handleAll({
      groups: () => Effect.mapBoth(groups.list, { onSuccess: (all) => all.map(groupJson), onFailure: unavailable }),
      createGroup: Effect.fnUntraced(function* ({ payload }) {
        const values = yield* Effect.fromResult(groupOf(payload))
        return groupJson(yield* Effect.mapError(groups.create({ ...values, name: payload.name }), changeProblem))
      }),
      group: Effect.fnUntraced(function* ({ params }) {
        const id = GroupId.make(params.id)
        const group = yield* groups.get(id)
        return { ...groupJson(group), members: (yield* groups.members(id)).map(memberJson) }
      }, Effect.mapError(readProblem)),
      updateGroup: Effect.fnUntraced(function* ({ params, payload }) {
        const values = yield* Effect.fromResult(groupOf(payload))
        return groupJson(yield* Effect.mapError(groups.update(GroupId.make(params.id), values), changeProblem))
      }),
      deleteGroup: ({ params }) => Effect.mapError(groups.remove(GroupId.make(params.id)), changeProblem),
      addMember: ({ payload }) =>
        Effect.mapBoth(groups.addMember(GroupId.make(payload.group_id), UserId.make(payload.user_id)), {
          onSuccess: memberJson,
          onFailure: changeProblem
        }),
      removeMember: ({ params }) => Effect.mapError(groups.removeMember(params.id), changeProblem),
      graph: () => Effect.mapBoth(groups.graph, { onSuccess: graphJson, onFailure: unavailable }),
      setGraph: Effect.fnUntraced(function* ({ payload }) {
        const levels = yield* Effect.fromResult(levelsOf(payload.groups))
        return graphJson(yield* Effect.mapError(groups.setGraph(payload.revision, levels), changeProblem))
      }),
      databaseGraph: () =>
        Effect.mapBoth(groups.graph, {
          onSuccess: ({ groups: all, revision }) => ({
            revision,
            groups: Object.fromEntries([...all.keys()].map((id) => [String(id), {}]))
          }),
          onFailure: unavailable
        }),
      setDatabaseGraph: () => Effect.fail(new BadRequest({ detail: CONTROLLED_BY_COLLECTION }))
    })
  })
)
