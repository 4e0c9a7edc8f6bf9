import { Schema, SchemaIssue } from "effect"
import { SIZE } from "../domain/columnSizes.ts"
import { UUID_PATTERN } from "../domain/ids.ts"
import { type ErrorTree, Rejection } from "../domain/Rejection.ts"

/*
 * The body of `/api/send`. One schema decides. The messages are zod's, since Umami's clients read them. The hot
 * path checks only the fields that are present, which takes a third of the time of checking all 24; issues are built only for a
 * rejection.
 */

const stringUpTo = (limit: number) =>
  Schema.optionalKey(
    Schema.String.check(
      Schema.isMaxLength(limit, { message: `Too big: expected string to have <=${limit} characters` })
    )
  )

const anyString = Schema.optionalKey(Schema.String)

const uuid = Schema.optionalKey(Schema.String.check(Schema.isPattern(UUID_PATTERN, { message: "Invalid UUID" })))

/**
 * URLs that are valid whatever follows: a path, or http(s) with plain host labels and no port. The parser decides about all others,
 * at ten times the cost.
 */
const PLAIN_URL = /^(?:https?:\/\/(?:(?!xn--)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,63}(?=[/?#]|$)|\/(?![/\\]))/

export const isUrl = (text: string): boolean => PLAIN_URL.test(text) || URL.canParse(text, "https://localhost")

const url = Schema.optionalKey(Schema.String.check(Schema.makeFilter((text) => isUrl(text) || "Invalid URL.")))

const between0And = (maximum: number) =>
  Schema.optionalKey(
    Schema.Number.check(
      Schema.isGreaterThanOrEqualTo(0, { message: "Too small: expected number to be >=0" }),
      Schema.isLessThanOrEqualTo(maximum, { message: `Too big: expected number to be <=${maximum}` })
    )
  )

/** zod's `coerce.number().int()`, whose message names the result of the coercion. */
const timestampProblem = (value: unknown): string | undefined => {
  const time = coerceTimestamp(value)
  if (Number.isNaN(time)) return "Invalid input: expected number, received NaN"
  return Number.isInteger(time) ? undefined : "Invalid input: expected int, received number"
}

/** A timestamp as Umami coerces it; null, `""` and 0 count as absent. */
export const coerceTimestamp = (value: unknown): number =>
  typeof value === "object" && value !== null ? Number.NaN : Number(value)

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export const Payload = Schema.Struct({
  website: uuid,
  link: uuid,
  pixel: uuid,
  hostname: stringUpTo(SIZE.hostname),
  language: stringUpTo(SIZE.language),
  screen: stringUpTo(SIZE.screen),
  title: anyString,
  url,
  referrer: url,
  name: stringUpTo(SIZE.eventName),
  tag: stringUpTo(SIZE.tag),
  data: Schema.optionalKey(Schema.declare(isRecord, { expected: "record" })),
  id: anyString,
  ip: anyString,
  userAgent: anyString,
  timestamp: Schema.optionalKey(Schema.Unknown.check(Schema.makeFilter((value) => timestampProblem(value) ?? true))),
  browser: anyString,
  os: anyString,
  device: anyString,
  lcp: between0And(60_000),
  inp: between0And(60_000),
  fcp: between0And(60_000),
  ttfb: between0And(60_000),
  cls: between0And(100)
})
export type Payload = typeof Payload.Type

export const PAYLOAD_TYPES = ["event", "identify", "performance"] as const

export const SendBody = Schema.Struct({
  type: Schema.Literals(PAYLOAD_TYPES),
  payload: Payload
})
export type SendBody = typeof SendBody.Type
export type PayloadType = SendBody["type"]

const isSendBody = Schema.is(SendBody)
const isPayloadType = Schema.is(SendBody.fields.type)

/** Whether a field's value conforms. Without a prototype, since a body may have a field called `constructor`. */
const conforming: Readonly<Record<string, (value: unknown) => boolean>> = Object.assign(
  Object.create(null),
  Object.fromEntries(Object.entries(Payload.fields).map(([key, field]) => [key, Schema.is(field)]))
)

/** True only if the schema would agree; the schema decides about everything else. */
const conformsByField = (body: unknown): body is SendBody => {
  if (!isRecord(body) || !isPayloadType(body["type"])) return false
  const payload = body["payload"]
  if (!isRecord(payload)) return false
  for (const key in payload) {
    const conforms = conforming[key]
    if (conforms !== undefined && !conforms(payload[key])) return false
  }
  return true
}

const cutTo = (limit: number) => (value: unknown) => (typeof value === "string" ? value.slice(0, limit) : undefined)
const drop = () => undefined

/**
 * How a field that does not conform is repaired, so that it does not cost the whole event: a string that is too long is cut, anything
 * else is dropped. Umami 3.1 rejects such events. Fields without an entry decide about the event.
 */
const REPAIRS: Readonly<Partial<Record<keyof Payload, (value: unknown) => unknown>>> = {
  hostname: cutTo(SIZE.hostname),
  // Clients send their whole Accept-Language header, of which the first language counts.
  language: (value) =>
    typeof value === "string" ? value.split(/[,;]/, 1)[0]!.trim().slice(0, SIZE.language) : undefined,
  screen: cutTo(SIZE.screen),
  title: drop,
  referrer: drop,
  name: cutTo(SIZE.eventName),
  tag: cutTo(SIZE.tag),
  id: drop,
  ip: drop,
  userAgent: drop,
  browser: drop,
  os: drop,
  device: drop,
  lcp: drop,
  inp: drop,
  fcp: drop,
  ttfb: drop,
  cls: drop
}

/** The body with its repairable fields repaired, or the body itself if it is not an object with a payload. */
export const repairBody = (body: unknown): unknown => {
  if (!isRecord(body) || !isRecord(body["payload"])) return body
  const payload: Record<string, unknown> = { ...body["payload"] }
  for (const [key, repair] of Object.entries(REPAIRS)) {
    if (!Object.hasOwn(payload, key) || conforming[key]!(payload[key])) continue
    const repaired = repair(payload[key])
    if (repaired === undefined) delete payload[key]
    else payload[key] = repaired
  }
  return { ...body, payload }
}

/** Whether a body conforms without repairs, which nearly every body does. */
export const isConforming = (body: unknown): body is SendBody => conformsByField(body) && sources(body.payload) === 1

const sources = (payload: Payload): number =>
  (payload.website === undefined ? 0 : 1) + (payload.link === undefined ? 0 : 1) + (payload.pixel === undefined ? 0 : 1)

/** What is wrong with a body, in Umami's words; null if it is valid. */
export const invalidBody = (body: unknown): ErrorTree | null => {
  if (!conformsByField(body) && !isSendBody(body)) return explain(body)
  return sources(body.payload) === 1 ? null : EXACTLY_ONE_SOURCE
}

const at = (key: string, tree: ErrorTree): ErrorTree => ({ errors: [], properties: { [key]: tree } })

const EXACTLY_ONE_SOURCE = at(
  "payload",
  at("website", { errors: ["Exactly one of website, link, or pixel must be provided"] })
)

/** An error of one field of the payload. */
export const payloadError = (field: keyof Payload, message: string): Rejection =>
  Rejection.InvalidPayload({ tree: at("payload", at(field, { errors: [message] })) })

const WRONG_TYPE_OPTION = `Invalid option: expected one of ${PAYLOAD_TYPES.map((type) => `"${type}"`).join("|")}`

/** zod's name of a JSON value's type. */
export const receivedType = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "array" : typeof value

/** zod's message for a value of the wrong type. */
export const wrongType = (expected: string, value: unknown): string =>
  `Invalid input: expected ${expected}, received ${receivedType(value)}`

const expectedType = (issue: SchemaIssue.Leaf): string => {
  if (issue._tag !== "InvalidType") return "object"
  switch (issue.ast._tag) {
    case "String":
      return "string"
    case "Number":
      return "number"
    case "Declaration":
      return "record"
    default:
      return "object"
  }
}

const format = SchemaIssue.makeFormatterStandardSchemaV1({ leafHook: expectedType })
const decodeExit = Schema.decodeUnknownExit(SendBody, { errors: "all" })

const explain = (body: unknown): ErrorTree => {
  const exit = decodeExit(body)
  const root: MutableTree = { errors: [] }
  if (exit._tag === "Success") return root
  for (const reason of exit.cause.reasons) {
    if (reason._tag !== "Fail") continue
    for (const issue of format(reason.error.issue).issues) {
      const path = (issue.path ?? []).map((segment) => String(typeof segment === "object" ? segment.key : segment))
      const value = path.reduce<unknown>((inner, key) => (isRecord(inner) ? inner[key] : undefined), body)
      branch(root, path).errors.push(messageOf(path, issue.message, value))
    }
  }
  return root
}

const messageOf = (path: ReadonlyArray<string>, message: string, value: unknown): string => {
  if (path.length === 1 && path[0] === "type") return WRONG_TYPE_OPTION
  return /^(?:Too|Invalid)/.test(message) ? message : wrongType(message, value)
}

interface MutableTree {
  errors: Array<string>
  properties?: Record<string, MutableTree>
}

const branch = (root: MutableTree, path: ReadonlyArray<string>): MutableTree => {
  let node = root
  for (const key of path) {
    node.properties ??= {}
    node.properties[key] ??= { errors: [] }
    node = node.properties[key]
  }
  return node
}
