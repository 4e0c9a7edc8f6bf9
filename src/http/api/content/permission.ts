import { Effect } from "effect"
import type { Author, ItemHead, ItemKind } from "../../../domain/content/Item.ts"
import { type Action, can, denialOf, type Principal, type ResourceType } from "../../../domain/Principal.ts"
import type { CollectionId } from "../../../domain/people.ts"
import { Forbidden } from "../problems.ts"

export const RESOURCE_OF: Readonly<Record<ItemKind, ResourceType>> = {
  card: "cards",
  dashboard: "dashboards",
  segment: "segments",
  cohort: "cohorts"
}

export const authorOf = ({ id, kind, name }: Principal): Author => ({ kind, id, name })

/** What is in a collection, and what it is. */
export interface InCollection {
  readonly type: ResourceType
  /** The collection and those above it. */
  readonly path: ReadonlyArray<CollectionId>
}

/** Fails unless the principal may do this in the collection. */
export const permit = (
  principal: Principal,
  action: Action,
  { path, type }: InCollection
): Effect.Effect<void, Forbidden> => {
  const denial = denialOf(principal, action, { type, collection: path })
  return denial === null ? Effect.void : Effect.fail(new Forbidden({ detail: denial.detail }))
}

/** Fails unless the principal may ask questions at all: seeing a saved one in some collection is not enough. */
export const permitAsking = (principal: Principal): Effect.Effect<void, Forbidden> => {
  const denial = denialOf(principal, "read", { type: "questions" })
  return denial === null ? Effect.void : Effect.fail(new Forbidden({ detail: denial.detail }))
}

export const inCollection = ({ kind, path }: ItemHead): InCollection => ({ type: RESOURCE_OF[kind], path })

export const mayRead = (principal: Principal, { kind, path }: ItemHead): boolean =>
  can(principal, "read", { type: RESOURCE_OF[kind], collection: path })

/** Not even administrators change what ships with Footfall. */
export const mayChange = (principal: Principal, { isShipped, kind, path }: ItemHead): boolean =>
  !isShipped && can(principal, "update", { type: RESOURCE_OF[kind], collection: path })

/** The wording of the contract, section 1.2. */
export const FIXED_DENIAL = "You don't have permissions to do that."
export const SHIPPED_DENIAL = `${FIXED_DENIAL} This ships with Footfall: duplicate it, and change the copy.`
