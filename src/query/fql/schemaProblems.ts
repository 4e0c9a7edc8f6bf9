import { SchemaAST, SchemaIssue } from "effect"
import { nearest, suggestion } from "./suggest.ts"

type Path = ReadonlyArray<PropertyKey>

/** What is wrong at one place of a value. `detail` is one or more whole sentences. */
export interface SchemaProblem {
  readonly path: Path
  readonly detail: string
}

/** A place on the way into a value. `siblings` are the properties of the innermost object, and their schemas. */
interface Place {
  readonly path: Path
  readonly siblings: ReadonlyMap<string, SchemaAST.AST>
}

/** `isUnknownName`: the value has a property that its schema lacks. */
interface Found extends SchemaProblem {
  readonly isUnknownName: boolean
}

const formatted = SchemaIssue.makeFormatterStandardSchemaV1()

const propertiesOf = (ast: SchemaAST.AST): ReadonlyMap<string, SchemaAST.AST> =>
  new Map(SchemaAST.isObjects(ast) ? ast.propertySignatures.map(({ name, type }) => [String(name), type]) : [])

/** The properties of the only object that a value may be; none if it may be several or none. */
const memberProperties = ({ types }: SchemaAST.Union): ReadonlyArray<string> => {
  const objects = types.filter(SchemaAST.isObjects)
  return objects.length === 1 ? [...propertiesOf(objects[0]!).keys()] : []
}

const codeList = (names: Iterable<string>): string => [...names].map((name) => `\`${name}\``).join(", ")

/** The values of a choice; null for any other schema. */
const choicesOf = (ast: SchemaAST.AST): ReadonlyArray<string> | null => {
  if (SchemaAST.isLiteral(ast)) return [String(ast.literal)]
  if (!SchemaAST.isUnion(ast) || ast.types.length === 0) return null
  const choices = ast.types.map(choicesOf)
  return choices.every((inner) => inner !== null) ? choices.flat() : null
}

/** The expectation of a schema that has no plain name. */
const OTHER = "another value"

/** What a value must be, as in "text or a list". */
const expectation = (ast: SchemaAST.AST): string => {
  const choices = choicesOf(ast)
  if (choices !== null) return choices.length === 1 ? codeList(choices) : `one of ${codeList(choices)}`
  switch (ast._tag) {
    case "String":
      return "text"
    case "Number":
      return "a number"
    case "Boolean":
      return "`true` or `false`"
    case "Null":
      return "null"
    case "Arrays":
      return "a list"
    case "Objects":
      return "an object"
    case "Suspend":
      return expectation(ast.thunk())
    case "Union":
      return [...new Set(ast.types.map(expectation))].join(" or ")
    default:
      return OTHER
  }
}

/** The name of a place for people, which is that of the nearest property. */
const nameOf = (path: Path, root: string): string => {
  const last = path.findLastIndex((segment) => typeof segment !== "number")
  if (last === -1) return path.length === 0 ? root : "An entry"
  const name = `\`${String(path[last])}\``
  return last === path.length - 1 ? name : `An entry of ${name}`
}

/** Whether a name begins with the same letter and has the other letters in this order, as `timezone` has those of `tz`. */
const abbreviates = (short: string, name: string): boolean => {
  let at = 0
  for (const letter of name) if (letter === short[at]) at++
  return short.length > 1 && short[0] === name[0] && at === short.length
}

const didYouMean = (given: string, known: Iterable<string>): string => {
  const names = [...known]
  const abbreviated = names.filter((name) => abbreviates(given, name))
  const meant = nearest(given, names) ?? (abbreviated.length === 1 ? abbreviated[0]! : null)
  return suggestion(meant)
}

const valueAt = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (inner, key) =>
      typeof inner === "object" && inner !== null ? (inner as Record<PropertyKey, unknown>)[key] : undefined,
    value
  )

/** Of the alternatives of a union, the one that was probably meant: the one whose first problem is deepest, then one that knows the name. */
const closest = (alternatives: ReadonlyArray<ReadonlyArray<Found>>): ReadonlyArray<Found> => {
  const rank = ([first]: ReadonlyArray<Found>) =>
    first === undefined ? -1 : 2 * first.path.length + (first.isUnknownName ? 0 : 1)
  return alternatives.reduce((best, one) => (rank(one) > rank(best) ? one : best))
}

/** Effect's wording of a rule, as in "Expected a value between 1 and 10", or a schema's own, which is a sentence. */
const sentence = (message: string, name: string): string => {
  const rule = /^Expected (?<rule>(?:a|an|at|no) .*?)\.?$/s.exec(message)?.groups?.["rule"]
  if (rule === undefined) return /[.!?]$/.test(message) ? message : `${message}.`
  const length = /^a value with (?<length>a length of .*)$/s.exec(rule)?.groups?.["length"]
  return length === undefined ? `${name} must be ${rule}.` : `${name} must have ${length}.`
}

/** What is wrong with a property that is unknown or missing. */
const describeKey = (tag: "UnexpectedKey" | "MissingKey", { path, siblings }: Place, root: string): string => {
  const key = path.at(-1)
  if (typeof key === "number") {
    return `${nameOf(path.slice(0, -1), root)} has too ${tag === "MissingKey" ? "few" : "many"} entries.`
  }
  const name = String(key)
  if (tag === "MissingKey") {
    const schema = siblings.get(name)
    return `\`${name}\` is missing${schema === undefined ? "" : `: give ${expectation(schema)}`}.`
  }
  if (name === "") return "The name of a property can't be empty."
  const list = siblings.size === 0 ? "" : ` The properties are ${codeList(siblings.keys())}.`
  return `There is no property \`${name}\`.${didYouMean(name, siblings.keys())}${list}`
}

/** Describes issues of a value; `root` names the value itself, as in "The body". Without the value, choices get no suggestion. */
export const schemaProblems = (
  issue: SchemaIssue.Issue,
  { root, value }: { readonly root: string; readonly value?: unknown }
): ReadonlyArray<SchemaProblem> => {
  const describeType = (ast: SchemaAST.AST, path: Path, message: string): string => {
    const expected = expectation(ast)
    if (expected === OTHER) return sentence(message, nameOf(path, root))
    const given = valueAt(value, path)
    const mayBeObject = value === undefined || (typeof given === "object" && given !== null && !Array.isArray(given))
    const properties = SchemaAST.isUnion(ast) && mayBeObject ? memberProperties(ast) : []
    if (properties.length > 0) {
      return `${nameOf(path, root)} must be ${expected}. The object's properties are ${codeList(properties)}.`
    }
    const choices = typeof given === "string" ? choicesOf(ast) : null
    return `${nameOf(path, root)} must be ${expected}.${choices === null ? "" : didYouMean(String(given), choices)}`
  }

  const describe = (found: SchemaIssue.Leaf | SchemaIssue.AnyOf, place: Place): string => {
    if (found._tag === "UnexpectedKey" || found._tag === "MissingKey") return describeKey(found._tag, place, root)
    const message = formatted(found).issues[0]?.message ?? "This value is not valid."
    return found._tag === "InvalidType" || found._tag === "AnyOf"
      ? describeType(found.ast, place.path, message)
      : sentence(message, nameOf(place.path, root))
  }

  const find = (found: SchemaIssue.Issue, place: Place): ReadonlyArray<Found> => {
    switch (found._tag) {
      case "Pointer":
        return find(found.issue, { ...place, path: [...place.path, ...found.path] })
      case "Encoding":
        return find(found.issue, place)
      case "Composite": {
        const siblings = propertiesOf(found.ast)
        return found.issues.flatMap((inner) => find(inner, { ...place, siblings }))
      }
      case "Filter":
        return formatted(found).issues.map(({ message, path: inner = [] }) => {
          const path = [...place.path, ...inner.map((segment) => (typeof segment === "object" ? segment.key : segment))]
          return { path, detail: sentence(message, nameOf(path, root)), isUnknownName: false }
        })
      case "AnyOf": {
        const alternatives = found.issues.map((inner) => find(inner, place))
        const isDeeper = alternatives.some((problems) => problems.some(({ path }) => path.length > place.path.length))
        if (isDeeper || found.issues.some(({ _tag }) => _tag === "Filter")) return closest(alternatives)
        return [{ path: place.path, detail: describe(found, place), isUnknownName: false }]
      }
      default:
        return [{ path: place.path, detail: describe(found, place), isUnknownName: found._tag === "UnexpectedKey" }]
    }
  }

  return find(issue, { path: [], siblings: new Map() }).map(({ detail, path }) => ({ path, detail }))
}
