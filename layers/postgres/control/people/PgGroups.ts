import { Effect, Layer, Result, Semaphore } from "effect"
import { parseName } from "../../../../src/domain/fieldIssues.ts"
import type { SiteId } from "../../../../src/domain/ids.ts"
import {
  ADMINISTRATORS,
  ALL_USERS,
  type CollectionId,
  type CollectionLevel,
  combineAccess,
  Group,
  type GroupAccess,
  type GroupId,
  type UserId
} from "../../../../src/domain/people.ts"
import { type StartError, startLater } from "../../../../src/domain/StartError.ts"
import { Groups, type GroupUpdate, type Member } from "../../../../src/ports/Groups.ts"
import {
  groupNotFound,
  invalidValues,
  PeopleError,
  peopleUnavailable,
  userNotFound
} from "../../../../src/ports/PeopleError.ts"
import { uuidArray } from "../../client/arrays.ts"
import { AppDatabase } from "../../client/Database.ts"
import { runChange } from "../../client/runStatement.ts"
import { isUniqueViolation } from "../../client/sqlErrors.ts"
import { audited } from "../audit.ts"
import { Changes } from "../Changes.ts"
import { keepingAdministrator } from "./administrators.ts"
import { addToGroups } from "./memberships.ts"
import { readGraph, writeGraph } from "./permissionGraph.ts"

/** Members in a response. */
const MAX_MEMBERS = 1_000

const SELECT = `SELECT g.id, g.name, g.site_limit,
    (SELECT count(*) FROM product_analytics_user u WHERE u.disabled_at IS NULL AND (g.id = 1 OR EXISTS (
      SELECT FROM product_analytics_membership m WHERE m.user_id = u.id AND m.group_id = g.id
    )))::int AS member_count,
    CASE WHEN g.id = 2 THEN 'write' ELSE coalesce(
      (SELECT p.level FROM product_analytics_collection_permission p WHERE p.group_id = g.id AND p.collection_id = 1), 'none'
    ) END AS level
  FROM product_analytics_group g`
const LIST = `${SELECT} ORDER BY g.id > 2, lower(g.name), g.id`
const GET = `${SELECT} WHERE g.id = $1::int`
const CREATE = `INSERT INTO product_analytics_group (name, site_limit) VALUES ($1, $2::uuid[])
  ON CONFLICT (lower(name)) DO NOTHING RETURNING id`
// Null leaves the name unchanged. $3 says whether the limit changes, for which null is a value.
const UPDATE = `UPDATE product_analytics_group SET
    name = coalesce($2::text, name),
    site_limit = CASE WHEN $3::bool THEN $4::uuid[] ELSE site_limit END
  WHERE id = $1::int RETURNING id`
const REMOVE = "DELETE FROM product_analytics_group WHERE id = $1::int RETURNING id, name"
const MISSING_SITE = `SELECT given.id FROM unnest($1::uuid[]) AS given (id)
  WHERE NOT EXISTS (SELECT FROM product_analytics_site s WHERE s.id = given.id) LIMIT 1`
const MEMBERS = `SELECT coalesce(m.id, 0) AS membership_id, u.id AS user_id, u.email, u.name
  FROM product_analytics_user u LEFT JOIN product_analytics_membership m ON m.user_id = u.id AND m.group_id = $1::int
  WHERE u.disabled_at IS NULL AND ($1::int = 1 OR m.id IS NOT NULL)
  ORDER BY lower(u.name), u.id LIMIT ${MAX_MEMBERS}`
const MEMBER = `SELECT m.id AS membership_id, u.id AS user_id, u.email, u.name
  FROM product_analytics_user u JOIN product_analytics_membership m ON m.user_id = u.id
  WHERE u.id = $1::int AND m.group_id = $2::int`
const IS_USER = "SELECT 1 FROM product_analytics_user WHERE id = $1::int"
const REMOVE_MEMBER = `DELETE FROM product_analytics_membership m USING product_analytics_user u, product_analytics_group g
  WHERE m.id = $1::int AND u.id = m.user_id AND g.id = m.group_id
  RETURNING m.group_id, g.name AS group_name, u.id AS user_id, u.name`
const ACCESS = `SELECT g.id, g.site_limit, coalesce((
    SELECT json_object_agg(p.collection_id, p.level) FROM product_analytics_collection_permission p WHERE p.group_id = g.id
  ), '{}') AS levels
  FROM product_analytics_group g`

interface GroupRow {
  readonly id: GroupId
  readonly name: string
  readonly site_limit: ReadonlyArray<SiteId> | null
  readonly member_count: number
  readonly level: CollectionLevel
}

interface AccessRow {
  readonly id: GroupId
  readonly site_limit: ReadonlyArray<SiteId> | null
  readonly levels: Readonly<Record<string, CollectionLevel>>
}

interface MemberRow {
  readonly membership_id: number
  readonly user_id: UserId
  readonly email: string
  readonly name: string
}

interface RemovedRow {
  readonly group_id: GroupId
  readonly group_name: string
  readonly user_id: UserId
  readonly name: string
}

const toGroup = (row: GroupRow): Group =>
  new Group({
    id: row.id,
    name: row.name,
    memberCount: row.member_count,
    siteLimit: row.id === ADMINISTRATORS ? null : row.site_limit,
    level: row.level
  })

const toMember = (row: MemberRow): Member => ({
  membershipId: row.membership_id === 0 ? null : row.membership_id,
  userId: row.user_id,
  email: row.email,
  name: row.name
})

const toAccess = ({ levels, site_limit }: AccessRow): GroupAccess => ({
  siteLimit: site_limit,
  levels: new Map(Object.entries(levels).map(([id, level]) => [Number(id) as CollectionId, level]))
})

const groupTarget = ({ id, name }: Pick<Group, "id" | "name">) => ({
  targetKind: "group",
  targetId: String(id),
  targetName: name
})

const nameTaken = (name: string) =>
  new PeopleError({ reason: "Conflict", message: `There is a group ${JSON.stringify(name)} already.` })

const invalid = (field: string, message: string) => Effect.fail(invalidValues([{ field, message }]))

const acceptName = (name: string): Effect.Effect<string, PeopleError> =>
  Result.match(parseName(name), {
    onSuccess: Effect.succeed,
    onFailure: (issues) => Effect.fail(invalidValues(issues))
  })

/** Why a group that exists from the start cannot change like this; null if it can. */
const fixedGroupProblem = (id: GroupId, { name, siteLimit }: GroupUpdate) => {
  if (name !== undefined && (id === ALL_USERS || id === ADMINISTRATORS)) {
    return invalid("name", "All users and Administrators keep their names.")
  }
  return id === ADMINISTRATORS && siteLimit !== undefined && siteLimit !== null
    ? invalid("siteLimit", "Administrators see every site.")
    : null
}

/** Groups in the app database. What they may do is also in memory: read at the start, and again at each change. */
export const layer: Layer.Layer<Groups, StartError, AppDatabase | Changes> = Layer.effect(
  Groups,
  Effect.gen(function* () {
    const sql = yield* AppDatabase
    const changes = yield* Changes
    const run = <A, X>(statements: Effect.Effect<A, X>) => runChange(statements, peopleUnavailable)

    let access: ReadonlyMap<GroupId, GroupAccess> = new Map()
    // One reload at a time, so that an older read cannot overwrite a newer one.
    const reload = Semaphore.makeUnsafe(1).withPermit(
      Effect.map(run(sql.unsafe<AccessRow>(ACCESS)), (rows) => {
        access = new Map(rows.map((row) => [row.id, toAccess(row)]))
      })
    )
    yield* Effect.mapError(reload, ({ message }) => startLater(`Can't read the groups: ${message}`))
    yield* changes.follow("people", reload)
    /** This process applies its own change at once. */
    const applied = <A, X>(change: Effect.Effect<A, X>) => Effect.tap(run(change), Effect.ignore(reload))

    const find = (id: GroupId) =>
      Effect.flatMap(sql.unsafe<GroupRow>(GET, [id]), ([row]) =>
        row === undefined ? Effect.fail(groupNotFound(id)) : Effect.succeed(toGroup(row))
      )

    const assertSites = Effect.fnUntraced(function* (sites: ReadonlyArray<SiteId> | null | undefined) {
      if (sites === null || sites === undefined) return
      const [missing] = yield* sql.unsafe<{ readonly id: string }>(MISSING_SITE, [uuidArray(sites)])
      if (missing !== undefined) return yield* invalid("siteLimit", `There is no site with the id "${missing.id}".`)
    })

    const limitColumn = (limit: GroupUpdate["siteLimit"]) =>
      limit === null || limit === undefined ? null : uuidArray([...new Set(limit)])

    const create = Effect.fnUntraced(function* (given: GroupUpdate & { readonly name: string }) {
      const name = yield* acceptName(given.name)
      yield* assertSites(given.siteLimit)
      const [created] = yield* sql.unsafe<{ readonly id: GroupId }>(CREATE, [name, limitColumn(given.siteLimit)])
      return created === undefined ? yield* Effect.fail(nameTaken(name)) : yield* find(created.id)
    })

    const update = Effect.fnUntraced(function* (id: GroupId, given: GroupUpdate) {
      const problem = fixedGroupProblem(id, given)
      if (problem !== null) return yield* problem
      const name = given.name === undefined ? null : yield* acceptName(given.name)
      yield* assertSites(given.siteLimit)
      const updated = yield* sql.unsafe(UPDATE, [id, name, given.siteLimit !== undefined, limitColumn(given.siteLimit)])
      return updated.length === 0 ? yield* groupNotFound(id) : yield* find(id)
    })

    const remove = Effect.fnUntraced(function* (id: GroupId) {
      if (id === ALL_USERS || id === ADMINISTRATORS) {
        return yield* invalid("id", "All users and Administrators cannot be deleted.")
      }
      const [removed] = yield* sql.unsafe<Pick<Group, "id" | "name">>(REMOVE, [id])
      return removed ?? (yield* groupNotFound(id))
    })

    const member = Effect.fnUntraced(function* (id: GroupId, user: UserId) {
      if (id === ALL_USERS) return yield* invalid("group_id", "Everyone belongs to All users.")
      const { name } = yield* find(id)
      if ((yield* sql.unsafe(IS_USER, [user])).length === 0) return yield* userNotFound(user)
      const [row] = yield* sql.unsafe<MemberRow>(MEMBER, [user, id])
      if (row !== undefined) return toMember(row)
      return yield* new PeopleError({ reason: "NotFound", message: `The user is not a member of ${name}.` })
    })

    const addMember = Effect.fnUntraced(function* (id: GroupId, user: UserId) {
      if (id === ALL_USERS) return yield* invalid("group_id", "Everyone belongs to All users already.")
      const group = yield* find(id)
      if ((yield* sql.unsafe(IS_USER, [user])).length === 0) return yield* userNotFound(user)
      yield* addToGroups(sql, user, [id])
      const [row] = yield* sql.unsafe<MemberRow>(MEMBER, [user, id])
      return { group, member: toMember(row!) }
    })

    const removeMember = Effect.fnUntraced(function* (membershipId: number) {
      const remove = sql.unsafe<RemovedRow>(REMOVE_MEMBER, [membershipId])
      const [removed] = yield* keepingAdministrator(sql, remove)
      if (removed === undefined) {
        const message = `There is no membership with the id ${membershipId}.`
        return yield* new PeopleError({ reason: "NotFound", message })
      }
      return removed
    })

    return Groups.of({
      accessOf: (groups) => combineAccess(access, groups),
      list: run(Effect.map(sql.unsafe<GroupRow>(LIST), (rows) => rows.map(toGroup))),
      get: (id) => run(find(id)),
      create: (given) =>
        applied(
          audited(sql, create(given), (group) => ({
            action: "group.create",
            ...groupTarget(group),
            details: { site_limit: group.siteLimit }
          }))
        ),
      update: (id, given) =>
        audited(sql, update(id, given), (group) => ({
          action: "group.update",
          ...groupTarget(group),
          details: {
            ...(given.name !== undefined && { name: group.name }),
            ...(given.siteLimit !== undefined && { site_limit: group.siteLimit })
          }
        })).pipe(
          Effect.catchIf(isUniqueViolation, () => Effect.fail(nameTaken(given.name ?? ""))),
          applied
        ),
      remove: (id) =>
        Effect.asVoid(
          applied(audited(sql, remove(id), (group) => ({ action: "group.delete", ...groupTarget(group) })))
        ),
      members: (id) =>
        run(
          Effect.andThen(
            find(id),
            Effect.map(sql.unsafe<MemberRow>(MEMBERS, [id]), (rows) => rows.map(toMember))
          )
        ),
      member: (id, user) => run(member(id, user)),
      addMember: (id, user) =>
        Effect.map(
          applied(
            audited(sql, addMember(id, user), ({ group, member }) => ({
              action: "group.add-member",
              ...groupTarget(group),
              details: { user_id: user, user_name: member.name }
            }))
          ),
          ({ member }) => member
        ),
      removeMember: (membershipId) =>
        Effect.asVoid(
          applied(
            audited(sql, removeMember(membershipId), (removed) => ({
              action: "group.remove-member",
              ...groupTarget({ id: removed.group_id, name: removed.group_name }),
              details: { user_id: removed.user_id, user_name: removed.name }
            }))
          )
        ),
      graph: run(readGraph(sql)),
      setGraph: (revision, levels) =>
        applied(
          audited(sql, writeGraph(sql, revision, levels), (graph) => ({
            action: "permissions.update",
            targetKind: "permissions",
            targetId: null,
            targetName: null,
            details: {
              revision: graph.revision,
              groups: Object.fromEntries([...levels].map(([id, changed]) => [id, Object.fromEntries(changed)]))
            }
          }))
        )
    })
  })
)
