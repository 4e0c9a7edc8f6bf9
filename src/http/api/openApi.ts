import { Schema } from "effect"
import { PARAMETER_TYPES } from "../../domain/content/Parameter.ts"
import { Query } from "../../query/fql/schema.ts"
import { SESSION_COOKIE } from "../shared/sessionCookie.ts"
import { EXAMPLE_QUESTION } from "./dataset/api.ts"
import { PROBLEM_TYPES } from "./problems.ts"

/** A JSON object of the OpenAPI document. */
type Node = Record<string, unknown>

/** Descriptions of the members that all problems share. */
const MEMBERS: Readonly<Record<string, string>> = {
  type: "Always `about:blank`: title and status identify the problem",
  detail: "What went wrong, in a sentence",
  instance: "The request's path",
  request_id: "The request's id, also in the response's `x-request-id` and in the server's log",
  code: "Which kind of problem a question has, such as `unknown-field` or `busy`",
  pointer: "A JSON pointer to the part of the question that is wrong",
  errors: "Every invalid value; `pointer` is an RFC 6901 pointer into the body or query"
}

const problemTypeOf = (name: string) =>
  Object.hasOwn(PROBLEM_TYPES, name) ? PROBLEM_TYPES[name as keyof typeof PROBLEM_TYPES] : undefined

const describeSchema = (name: string, schema: Node): Node => {
  const problem = problemTypeOf(name)
  if (problem === undefined) return schema
  const { type, title, status, when, example } = problem
  return {
    ...schema,
    description: when,
    properties: Object.fromEntries(
      Object.entries(schema["properties"] as Record<string, Node>).map(([member, inner]) => [
        member,
        MEMBERS[member] === undefined ? inner : { ...inner, description: MEMBERS[member] }
      ])
    ),
    example: {
      type,
      title,
      status,
      ...example,
      instance: "/api/ee/product-analytics/sites",
      request_id: "01a20cb1-bd86-71af-8199-2f631987133d"
    }
  }
}

/** Describes a response by its problem instead of by its status. */
const describeResponse = (response: Node): Node => {
  const content = response["content"] as Record<string, { schema?: { $ref?: string } }> | undefined
  const name = content?.["application/problem+json"]?.schema?.$ref?.split("/").at(-1)
  const problem = name === undefined ? undefined : problemTypeOf(name)
  return problem === undefined ? response : { ...response, description: problem.when }
}

const mapValues = <A, B>(record: Readonly<Record<string, A>>, map: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))

/** The language's own schema under the names `Question`, which is what is sent, and `Query`, which is what it is made of. */
const questionSchemas = (): Readonly<Record<string, Node>> => {
  const { definitions } = Schema.toJsonSchemaDocument(Query, { onExcessProperty: "error" })
  const [query] = Object.values(
    JSON.parse(JSON.stringify(definitions).replaceAll('"#/$defs/', '"#/components/schemas/')) as Record<string, Node>
  )
  return {
    Query: query!,
    Question: {
      ...query,
      properties: { ...(query!["properties"] as Node), parameters: QUESTION_PARAMETERS },
      description:
        "A question in FQL/1; docs/questions.md describes the language. `parameters` next to its keys sets values as on a dashboard.",
      examples: [EXAMPLE_QUESTION]
    }
  }
}

const QUESTION_PARAMETERS: Node = {
  type: "array",
  description: "Values that apply as those of a dashboard's parameters",
  items: {
    type: "object",
    properties: {
      type: { type: "string", enum: PARAMETER_TYPES },
      target: { type: "array", examples: [["dimension", ["field", "created_at"]]] },
      value: { examples: ["past7days"] },
      id: { type: "string" },
      name: { type: "string" },
      slug: { type: "string" }
    },
    required: ["type", "target", "value"]
  }
}

/** Problems of every route with a body, which arise before the route is known. */
const BODY_PROBLEMS = ["ContentTooLarge", "UnsupportedMediaType"] as const

const withBodyProblems = (operation: Node): Node =>
  operation["requestBody"] === undefined
    ? operation
    : {
        ...operation,
        responses: {
          ...(operation["responses"] as Node),
          ...Object.fromEntries(
            BODY_PROBLEMS.map((name) => [
              PROBLEM_TYPES[name].status,
              {
                description: PROBLEM_TYPES[name].when,
                content: { "application/problem+json": { schema: { $ref: `#/components/schemas/${name}` } } }
              }
            ])
          )
        }
      }

/** The schemas of these problems: like that of another one, which the generator made. */
const bodyProblemSchemas = (like: Node): Readonly<Record<string, Node>> =>
  Object.fromEntries(
    BODY_PROBLEMS.map((name) => {
      const { status, title } = PROBLEM_TYPES[name]
      const properties = {
        ...(like["properties"] as Node),
        status: { type: "number", enum: [status] },
        title: { type: "string", enum: [title] }
      }
      return [name, describeSchema(name, { ...like, properties })]
    })
  )

/** Completes the generated OpenAPI document: problems get their plain names, descriptions and examples, and questions their schema. */
export const completed = (generated: Node): Node => {
  // The generator names the encoded side of a class, such as `NotFoundEncoded`.
  const json = JSON.stringify(generated).replaceAll(/("#\/components\/schemas\/\w+)Encoded"/g, '$1"')
  const spec = JSON.parse(json) as Node
  const components = spec["components"] as Record<string, Record<string, Node>>
  const schemas = Object.entries(components["schemas"] ?? {}).map(([key, schema]): [string, Node] => {
    const name = key.replace(/Encoded$/, "")
    return [name, describeSchema(name, schema)]
  })
  return {
    ...spec,
    paths: mapValues(spec["paths"] as Record<string, Record<string, Node>>, (methods) =>
      mapValues(methods, (operation) =>
        withBodyProblems({
          ...operation,
          responses: mapValues(operation["responses"] as Record<string, Node>, describeResponse)
        })
      )
    ),
    components: {
      schemas: {
        ...Object.fromEntries(schemas),
        ...bodyProblemSchemas(Object.fromEntries(schemas)["Conflict"]!),
        ...questionSchemas()
      },
      securitySchemes: {
        // Some tools compare the scheme's name case-sensitively with its registered spelling.
        key: { type: "http", scheme: "bearer", description: "An API key, `ff_…`" },
        session: {
          type: "apiKey",
          in: "cookie",
          name: SESSION_COOKIE,
          description:
            "The session of a user who signed in, which the browser sends. Over HTTPS, the name begins with `__Host-`, or `__Secure-` with `BASE_PATH`."
        }
      }
    }
  }
}
