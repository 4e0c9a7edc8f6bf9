import { Effect } from "effect"
import { IcebergError } from "../IcebergError.ts"
import type { TableName } from "./Catalog.ts"

/** `namespace.table`. */
export const showName = ({ name, namespace }: TableName): string => [...namespace, name].join(".")

const PLAIN = /^[^./\\\p{Cc}]+$/u

/**
 * Names become paths and dot-separated strings, so a part with a dot, a slash or a control character could name another
 * table.
 */
export const checkName = (table: TableName): Effect.Effect<TableName, IcebergError> =>
  table.namespace.length > 0 && [...table.namespace, table.name].every((part) => PLAIN.test(part))
    ? Effect.succeed(table)
    : Effect.fail(
        IcebergError.invalid(
          `${JSON.stringify(showName(table))} is not a valid table name: use namespace.table, without dots, slashes or control characters within a part.`
        )
      )

/** The failure of a create that came second. */
export const alreadyExists = (name: TableName): IcebergError =>
  IcebergError.alreadyExists(`The table ${showName(name)} already exists.`)
