import { Effect } from "effect"
import { type IcebergError, icebergError } from "../IcebergError.ts"
import type { TableName } from "./Catalog.ts"

/** `namespace.table`, as people write it. */
export const showName = ({ name, namespace }: TableName): string => [...namespace, name].join(".")

const PLAIN = /^[^./\\\p{Cc}]+$/u

/** Names become paths, and texts joined by dots: a part with a dot, a slash or a control character would mean another table. */
export const checkName = (table: TableName): Effect.Effect<TableName, IcebergError> =>
  table.namespace.length > 0 && [...table.namespace, table.name].every((part) => PLAIN.test(part))
    ? Effect.succeed(table)
    : Effect.fail(
        icebergError(
          "Invalid",
          `${JSON.stringify(showName(table))} can't name a table: write namespace.table, without dots, slashes or control characters in a part.`
        )
      )
