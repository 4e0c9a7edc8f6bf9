import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import type { Collection } from "../../../domain/content/Collection.ts"
import type { Principal } from "../../../domain/Principal.ts"
import { CollectionId, isId, PRODUCT_ANALYTICS } from "../../../domain/people.ts"
import { Collections } from "../../../ports/Collections.ts"
import { Content } from "../../../ports/Content.ts"
import { AdminApi } from "../AdminApi.ts"
import { CurrentPrincipal } from "../access.ts"
import { collectionProblem, makeItems, permittedCollections, readableCollection } from "../content/items.ts"
import { permit } from "../content/permission.ts"
import { type WriteProblem, writeProblem } from "../content/problem.ts"
import { Forbidden, NotFound, UnprocessableContent } from "../problems.ts"
import { findAll } from "./findAll.ts"
import { collectionJson, collectionTree, shownParent } from "./json.ts"

/** The id in a path. One that cannot be an id is reported as a collection that does not exist. */
const idOf = (given: string): Effect.Effect<CollectionId, NotFound> =>
  /^[1-9]\d*$/.test(given) && isId(Number(given))
    ? Effect.succeed(CollectionId.make(Number(given)))
    : Effect.fail(
        new NotFound({ detail: `There is no collection with the id ${JSON.stringify(given.slice(0, 100))}.` })
      )

export const CollectionsHandlers = HttpApiBuilder.group(
  AdminApi,
  "collections",
  Effect.fn(function* (handlers) {
    const collections = yield* Collections
    const items = makeItems(yield* Content, collections)

    const readable = Effect.fnUntraced(function* (principal: Principal, archived: boolean) {
      const all = yield* Effect.mapError(collections.list, collectionProblem)
      return permittedCollections(all, principal, ["read", "collections"]).filter(
        ({ isArchived }) => isArchived === archived
      )
    })
    const get = Effect.fnUntraced(function* (principal: Principal, given: string) {
      const id = yield* idOf(given)
      return yield* Effect.mapError(readableCollection(collections, principal, id), collectionProblem)
    })
    /** Fails unless collections may be put there. */
    const permitBelow = (principal: Principal, parent: CollectionId): Effect.Effect<Collection, WriteProblem> =>
      readableCollection(collections, principal, parent).pipe(
        Effect.mapError((error) =>
          error.reason === "NotFound"
            ? new UnprocessableContent({
                detail: error.message,
                errors: [{ pointer: "#/parent_id", detail: error.message }]
              })
            : collectionProblem(error)
        ),
        Effect.tap(({ path }) => permit(principal, "create", { type: "collections", path }))
      )

    /** Fails unless the principal may change every collection in this one, which go where it goes. */
    const permitAllIn = Effect.fnUntraced(function* (principal: Principal, id: CollectionId) {
      const all = yield* Effect.mapError(collections.list, collectionProblem)
      const within = all.filter(({ path }) => path.includes(id))
      if (permittedCollections(within, principal, ["update", "collections"]).length < within.length) {
        return yield* new Forbidden({ detail: "This requires write access to every collection in this one." })
      }
    })

    return handlers.handleAll({
      list: Effect.fnUntraced(function* ({ query }) {
        const principal = yield* CurrentPrincipal
        const found = yield* readable(principal, query.archived === "true")
        return found.map((collection) => collectionJson(collection, principal))
      }),
      tree: Effect.fnUntraced(function* () {
        const principal = yield* CurrentPrincipal
        return collectionTree(yield* readable(principal, false), principal)
      }),
      create: Effect.fnUntraced(function* ({ payload }) {
        const principal = yield* CurrentPrincipal
        const { description = null, name } = payload
        const { id: parent } = yield* permitBelow(principal, payload.parent_id ?? PRODUCT_ANALYTICS.id)
        const created = yield* Effect.mapError(
          collections.create({ name, description, parent }),
          writeProblem(principal)
        )
        return collectionJson(created, principal)
      }),
      get: Effect.fnUntraced(function* ({ params }) {
        const principal = yield* CurrentPrincipal
        return collectionJson(yield* get(principal, params.id), principal)
      }),
      items: Effect.fnUntraced(function* ({ params, query }) {
        const principal = yield* CurrentPrincipal
        const { id: parent } = yield* get(principal, params.id)
        return yield* findAll({ collections, items }, principal, { ...query, text: null, parent })
      }),
      update: Effect.fnUntraced(function* ({ params, payload }) {
        const principal = yield* CurrentPrincipal
        const collection = yield* get(principal, params.id)
        const { id, path } = collection
        yield* permit(principal, "update", { type: "collections", path })
        const { archived, description, name, parent_id: given, revision } = payload
        // A response that is sent back moves nothing, also where the caller may not read what is above.
        const shown = shownParent(collection, principal)
        const to = given === undefined || given === shown ? shown : (given ?? PRODUCT_ANALYTICS.id)
        const isMoved = to !== shown
        if (isMoved && to !== null) yield* permitBelow(principal, to)
        if (isMoved || archived !== undefined) yield* permitAllIn(principal, id)
        const change = {
          ...(name !== undefined && { name }),
          ...(description !== undefined && { description }),
          ...(isMoved && to !== null && { parent: to }),
          ...(archived !== undefined && { archived }),
          ...(revision !== undefined && { revision })
        }
        const changed = yield* Effect.mapError(collections.update(id, change), writeProblem(principal))
        return collectionJson(changed, principal)
      })
    })
  })
)
