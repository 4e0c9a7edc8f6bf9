import { Console, Option } from "effect"
import { Flag } from "effect/cli"
import { LAKE_TABLE_NAMES, type LakeTableName } from "../../ports/LakeAdmin.ts"

export const dryRun = Flag.Boolean("dry-run").pipe(
  Flag.withDefault(false),
  Flag.withDescription("Show what would change without changing anything")
)

/** `--table`, for one table instead of all. */
export const onlyTable = Flag.Literals("table", LAKE_TABLE_NAMES).pipe(
  Flag.withDescription("Only this table; default: all tables"),
  Flag.optional
)

export const selectedTables = (flag: Option.Option<LakeTableName>): ReadonlyArray<LakeTableName> =>
  Option.isSome(flag) ? [flag.value] : LAKE_TABLE_NAMES

export const printNoTables = Console.log("The lake has no tables yet. The first flush creates them.")
