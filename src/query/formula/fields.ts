import { nearest } from "../fql/suggest.ts"
import { VIEWS, type View, type ViewName, viewOf } from "../metadata/views.ts"
import { columnTitle, displayName } from "../resolve/SelectScope.ts"

/** The arrow between a view's title and a field's, as in `[Visitors → Country]`. `>` is read, too. */
const ARROW = " → "

const plain = (text: string): string =>
  text
    .trim()
    .toLowerCase()
    .replaceAll(/[\s_]+/g, " ")

/** Views whose fields a view's rows have through their keys. */
const reachable = (view: View): ReadonlyArray<View> =>
  view.columns.flatMap(({ references }) => (references == null ? [] : [viewOf(references)]))

/** The column with this name or title: `is_bounce` is also `Bounce`. */
const columnNamed = (view: View, given: string): string | null => {
  const isNamed = (text: string) => plain(text) === plain(given)
  const found =
    view.columns.find(({ name }) => isNamed(name)) ?? view.columns.find(({ name }) => isNamed(columnTitle(name)))
  return found?.name ?? null
}

const PROPERTIES = "Properties"
const ATTRIBUTES = "Attributes"

export type FoundField = { readonly clause: unknown } | { readonly near: string | null }

/** The field that brackets name; otherwise the title that is probably meant. */
export const fieldNamed = (source: ViewName, expressions: ReadonlyArray<string>, given: string): FoundField => {
  const view = viewOf(source)
  if (expressions.includes(given)) return { clause: ["expression", given] }
  const parts = given.split(/\s*(?:→|>)\s*/)
  if (parts.length === 1) {
    const own = columnNamed(view, given)
    if (own !== null) return { clause: ["field", own] }
    // As in questions, where a field of the visitor or the visit needs no view's name.
    const others = reachable(view).flatMap((other) => columnNamed(other, given) ?? [])
    if (others.length > 0) return { clause: ["field", others[0]] }
  }
  const [head = "", ...rest] = parts
  if (plain(head) === plain(PROPERTIES) && rest.length > 0) {
    const [event, key] = rest.length === 1 ? [null, rest[0]!] : [rest[0]!, rest.slice(1).join(ARROW)]
    return { clause: event === null ? ["prop", key] : ["prop", key, { event }] }
  }
  if (plain(head) === plain(ATTRIBUTES) && rest.length > 0) return { clause: ["attr", rest.join(ARROW)] }
  for (const other of reachable(view)) {
    const column = rest.length === 1 && plain(other.label) === plain(head) ? columnNamed(other, rest[0]!) : null
    if (column !== null) return { clause: ["field", `${other.name}.${column}`] }
  }
  return { near: nearest(given, titles(view, expressions)) }
}

/** A column's title; its name in words if the title is another column's name. */
const titleIn = (name: string): string => {
  const title = columnTitle(name)
  const isTaken = VIEWS.some(({ columns }) =>
    columns.some((one) => one.name !== name && plain(one.name) === plain(title))
  )
  return isTaken ? displayName(name) : title
}

const titles = (view: View, expressions: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...expressions,
  ...view.columns.map(({ name }) => titleIn(name)),
  ...reachable(view).flatMap(({ columns, label }) => columns.map(({ name }) => label + ARROW + titleIn(name)))
]

/** The title of a field's name: of the source, or of a view that it reaches. */
const titleOfField = (name: string): string => {
  const dot = name.indexOf(".")
  const other = VIEWS.find((view) => view.name === name.slice(0, dot))
  return other === undefined ? titleIn(name) : other.label + ARROW + titleIn(name.slice(dot + 1))
}

const isBare = (options: unknown, allowed: ReadonlyArray<string> = []): boolean =>
  options === undefined || Object.keys(options as object).every((key) => allowed.includes(key))

/** Whether a name reads back as itself: within brackets, and between arrows if it is a part of a longer name. */
const isPlain = (name: unknown, isPart: boolean): boolean =>
  typeof name === "string" && name === name.trim() && name !== "" && !(isPart ? /[[\]→>]/ : /[[\]]/).test(name)

/** A dimension in brackets; null if its name or its options cannot be written in a formula. */
export const fieldText = (clause: ReadonlyArray<unknown>): string | null => {
  const [kind, name, options] = clause as readonly [string, string, Readonly<Record<string, unknown>> | undefined]
  if (!isPlain(name, kind === "prop" || kind === "attr")) return null
  if (kind === "expression" && isBare(options)) return `[${name}]`
  if (kind === "field" && isBare(options)) return `[${titleOfField(name)}]`
  if (kind === "attr" && isBare(options)) return `[${ATTRIBUTES}${ARROW}${name}]`
  if (kind !== "prop" || !isBare(options, ["event"])) return null
  const event = options?.["event"]
  if (event !== undefined && !isPlain(event, true)) return null
  return `[${PROPERTIES}${ARROW}${event === undefined ? "" : `${event}${ARROW}`}${name}]`
}
