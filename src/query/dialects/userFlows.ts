import type { Select } from "../plan/plan.ts"
import { usesColumn } from "../plan/rows.ts"

/** Whether each row of user flows counts, not only the sum of their values: then they are those of single steps. */
export const needsSteps = ({ columns, from, groupBy, where }: Select): boolean =>
  from.source.kind === "view" &&
  from.source.view === "v_pa_user_flows" &&
  (groupBy === null ||
    where.some((one) => usesColumn(one, "value")) ||
    columns.slice(groupBy).some(({ expression }) => expression.kind !== "aggregate" || expression.name !== "sum"))

/** Whether user flows are only added up, so that the views need not be counted by day before. */
export const needsNoSums = ({ columns, from, groupBy, joins, where }: Select): boolean =>
  from.source.kind === "view" &&
  from.source.view === "v_pa_user_flows" &&
  groupBy !== null &&
  joins.length === 0 &&
  [...columns.slice(0, groupBy).map(({ expression }) => expression), ...where].every(
    (one) => !usesColumn(one, "value")
  ) &&
  columns
    .slice(groupBy)
    .every(
      ({ expression }) =>
        expression.kind === "aggregate" &&
        expression.name === "sum" &&
        expression.where === null &&
        expression.of?.kind === "column" &&
        expression.of.column === "value"
    )
