/** A JSON object of the OpenAPI document. */
type Node = Record<string, unknown>

/** Each problem as the documentation tells it: when it comes, and the members that are not the same for all. */
const PROBLEMS: Readonly<Record<string, { readonly when: string; readonly example: Node }>> = {
  BadRequest: {
    when: "The body is not JSON, or the request is not of the documented shape.",
    example: {
      detail: 'The body is not as documented: Unexpected key with value "x"',
      errors: [{ pointer: "#/nmae", detail: 'Unexpected key with value "x"' }]
    }
  },
  Unauthorized: {
    when: "No key, or one that is unknown or revoked.",
    example: { detail: "This API key is unknown or was revoked." }
  },
  PaymentRequired: {
    when: "Product analytics needs a valid license (`FEATURE_GATE=token`).",
    example: { detail: "Product Analytics requires a valid license: LICENSE_TOKEN has expired." }
  },
  Forbidden: {
    when: "The key's role does not allow it.",
    example: { detail: "This needs a key with the role `admin`; yours is `viewer`." }
  },
  NotFound: {
    when: "There is nothing of this id or name.",
    example: { detail: "There is no site with the id 3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f." }
  },
  Conflict: {
    when: "It exists already, or the environment decides it.",
    example: { detail: "A site with the id 3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f exists." }
  },
  UnprocessableContent: {
    when: "The request has the right shape and holds values that can't be accepted.",
    example: {
      detail: '"https://example.com/shop" names a page; give the host alone, such as `example.com`.',
      errors: [
        {
          pointer: "#/allowed_domains/0",
          detail: '"https://example.com/shop" names a page; give the host alone, such as `example.com`.'
        }
      ]
    }
  },
  ServiceUnavailable: {
    when: "The app database or the warehouse can't be asked; the same request may work after `Retry-After` seconds.",
    example: { detail: "The app database can't be reached." }
  },
  GatewayTimeout: {
    when: "The warehouse had no answer within `WAREHOUSE_TIMEOUT_SECONDS`, and was told to stop.",
    example: { detail: "The warehouse had no answer in time. Ask for a shorter range." }
  }
}

const MEMBERS: Readonly<Record<string, string>> = {
  type: "Always `about:blank`: title and status say which problem it is",
  detail: "What is wrong, in a sentence for people",
  instance: "The request's path",
  request_id: "The request's id, in the answer's `x-request-id` and in the server's log",
  errors: "Each wrong value; `pointer` is an RFC 6901 pointer into the body"
}

const constantOf = (properties: Node, name: string): unknown => (properties[name] as { enum?: [unknown] }).enum?.[0]

const describeProblem = (name: string, schema: Node): Node => {
  const problem = PROBLEMS[name]
  if (problem === undefined) return schema
  const properties = schema["properties"] as Record<string, Node>
  return {
    ...schema,
    description: problem.when,
    properties: Object.fromEntries(
      Object.entries(properties).map(([member, inner]) => [
        member,
        MEMBERS[member] === undefined ? inner : { ...inner, description: MEMBERS[member] }
      ])
    ),
    example: {
      type: constantOf(properties, "type"),
      title: constantOf(properties, "title"),
      status: constantOf(properties, "status"),
      ...problem.example,
      instance: "/api/ee/product-analytics/sites",
      request_id: "01a20cb1-bd86-71af-8199-2f631987133d"
    }
  }
}

/** The response with its problem's meaning in place of the status' name. */
const describeResponse = (response: Node): Node => {
  const content = response["content"] as Record<string, { schema?: { $ref?: string } }> | undefined
  const name = content?.["application/problem+json"]?.schema?.$ref?.split("/").at(-1)
  const problem = name === undefined ? undefined : PROBLEMS[name]
  return problem === undefined ? response : { ...response, description: problem.when }
}

const mapValues = <A, B>(record: Readonly<Record<string, A>>, map: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))

/** What a reader of the OpenAPI document wants and the generator does not write: problems by their plain names, explained. */
export const describe = (generated: Node): Node => {
  // The generator names what a class encodes to; nobody who reads the document knows of the class.
  const text = JSON.stringify(generated).replaceAll(/("#\/components\/schemas\/\w+)Encoded"/g, '$1"')
  const spec = JSON.parse(text) as Node
  const components = spec["components"] as Record<string, Record<string, Node>>
  const schemas = Object.entries(components["schemas"] ?? {}).map(([key, schema]): [string, Node] => {
    const name = key.replace(/Encoded$/, "")
    return [name, describeProblem(name, schema)]
  })
  return {
    ...spec,
    paths: mapValues(spec["paths"] as Record<string, Record<string, Node>>, (methods) =>
      mapValues(methods, (operation) => ({
        ...operation,
        responses: mapValues(operation["responses"] as Record<string, Node>, describeResponse)
      }))
    ),
    components: {
      schemas: Object.fromEntries(schemas),
      securitySchemes: {
        // Tools compare the scheme's name with its registered spelling in lower case.
        key: { type: "http", scheme: "bearer", description: "An API key, `ff_…`" }
      }
    }
  }
}
