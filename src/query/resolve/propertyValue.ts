import type { PropertyType } from "../../domain/propertyType.ts"
import { call, columnOf, type Expression, type Relation, value } from "../plan/plan.ts"

/** Text that looks like a number counts as one: senders often quote numbers. */
export const propertyValue = (relation: Relation, type: PropertyType): Expression => {
  const text = columnOf(relation, "string_value", "text")
  switch (type) {
    case "text":
      return call("plain-numbers", "text", text)
    case "number":
      return call(
        "coalesce",
        "decimal",
        columnOf(relation, "number_value", "decimal"),
        call("text-to-decimal", "decimal", text)
      )
    case "boolean":
      return call(
        "case",
        "boolean",
        call("eq", "boolean", text, value("text", "true")),
        value("boolean", true),
        call("eq", "boolean", text, value("text", "false")),
        value("boolean", false),
        { kind: "null", type: "boolean" }
      )
    case "date":
      return columnOf(relation, "date_value", "instant")
  }
}
