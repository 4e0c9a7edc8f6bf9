import type { SchemaIssue } from "effect"
import { below } from "../../query/fql/FqlError.ts"
import { schemaProblems } from "../../query/fql/schemaProblems.ts"
import { BadRequest } from "./problems.ts"

/** The problem of a part of a request, such as its body, that does not match its schema. */
export const invalidRequest = (part: string, issue: SchemaIssue.Issue): BadRequest => {
  const problems = schemaProblems(issue, { root: `The ${part}` })
  return new BadRequest({
    detail: `Invalid ${part}: ${problems.map(({ detail }) => detail).join(" ")}`,
    errors: problems.map(({ detail, path }) => ({ pointer: `#${below("", ...path.map(String))}`, detail }))
  })
}
