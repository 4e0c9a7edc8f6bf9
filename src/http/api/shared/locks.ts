import { isDeepStrictEqual } from "node:util"
import { Result } from "effect"
import type { CardBody } from "../../../domain/content/Card.ts"
import type { LockedTo } from "../../../domain/content/ContentLink.ts"
import type { DashboardBody, Dashcard } from "../../../domain/content/Dashboard.ts"
import type {
  CardParameter,
  DashboardParameter,
  ParameterTarget,
  ParameterType,
  ParameterValue
} from "../../../domain/content/Parameter.ts"
import { isEmpty } from "../../../query/passes/parameterValues.ts"

type Body = CardBody | DashboardBody
type Parameter = CardParameter | DashboardParameter

/** Types that only choose how an answer is computed and drawn: a question without them shows no more rows. */
const WITHOUT_CONDITION: ReadonlyArray<ParameterType> = ["compare", "temporal-unit"]

const targetsOn = ({ parameter_mappings: mappings }: Dashcard, id: string): ReadonlyArray<ParameterTarget> =>
  mappings.flatMap((mapping) => (mapping.parameter_id === id ? [mapping.target] : []))

const targetsOf = (body: Body, parameter: Parameter): ReadonlyArray<ParameterTarget> => {
  if (!("dashcards" in body)) return [(parameter as CardParameter).target]
  return body.dashcards.flatMap((dashcard) => (dashcard.card_id === null ? [] : targetsOn(dashcard, parameter.id)))
}

/** What a lock of the parameter applies to now. */
export const lockedToOf = (body: Body, parameter: Parameter): LockedTo => {
  const targets = targetsOf(body, parameter)
  return {
    type: parameter.type,
    targets: targets.filter((target, index) => targets.findIndex((one) => isDeepStrictEqual(one, target)) === index)
  }
}

/** Types of conditions that every text meets if it is compared with an empty one. */
const OF_PARTS: ReadonlyArray<ParameterType> = ["string/contains", "string/starts-with", "string/ends-with"]

/** Whether every row has this value of a parameter: a lock to it would lock nothing. */
export const filtersNothing = (value: ParameterValue, type: ParameterType): boolean => {
  const values = Array.isArray(value) ? value : [value]
  return isEmpty(value) || (OF_PARTS.includes(type) && values.includes(""))
}

/** A parameter that is locked. */
export interface Lock {
  readonly parameter: Parameter
  /** What it applied to when it was locked; null: a token locks it, and nothing is known about before. */
  readonly to: { readonly type: ParameterType | null; readonly targets: LockedTo["targets"] } | null
}

/** What a link from before this was recorded is locked to. */
const UNKNOWN = { type: null, targets: [] }

/**
 * What is locked. Fails with the slug of a locked parameter that does not exist any more or is of another type, or that belongs to a
 * question and has another target: without the lock, visitors would see more than was meant.
 */
export const locksOf = (
  body: Body,
  slugs: ReadonlyArray<string>,
  link: { readonly locked: object; readonly lockedTo: Readonly<Record<string, LockedTo>> }
): Result.Result<ReadonlyArray<Lock>, string> => {
  const locks: Array<Lock> = []
  for (const slug of slugs) {
    const parameter = (body.parameters as ReadonlyArray<Parameter>).find((one) => one.slug === slug)
    if (parameter === undefined) return Result.fail(slug)
    const isOfLink = Object.hasOwn(link.locked, slug)
    const lock = { parameter, to: isOfLink ? (link.lockedTo[slug] ?? UNKNOWN) : null }
    if (lock.to !== null && lock.to.type !== parameter.type) return Result.fail(slug)
    if (!("dashcards" in body) && !holds(lock, targetsOf(body, parameter))) return Result.fail(slug)
    locks.push(lock)
  }
  return Result.succeed(locks)
}

/** Whether a question with this parameter at these targets is limited as the lock meant. */
const holds = ({ to }: Lock, targets: ReadonlyArray<ParameterTarget>): boolean =>
  targets.some((target) => to === null || to.targets.some((one) => isDeepStrictEqual(one, target)))

/** Whether every locked value limits the card. Text always stays. */
export const isShown = (dashcard: Dashcard, locks: ReadonlyArray<Lock>): boolean =>
  dashcard.card_id === null ||
  locks.every(
    (lock) => WITHOUT_CONDITION.includes(lock.parameter.type) || holds(lock, targetsOn(dashcard, lock.parameter.id))
  )
