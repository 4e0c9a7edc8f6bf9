import { isHiding, type Metadata } from "../../ports/Metadata.ts"
import { ANY_EVENT, type Properties } from "../../ports/Properties.ts"
import type { HiddenFields } from "../plan/context.ts"
import { type ColumnField, columnsOf } from "./fieldIds.ts"
import { visibilityOf } from "./fieldRecord.ts"

/** What administrators hid, as it is now. */
export const hiddenFields = (
  { fieldChoices }: Pick<Metadata["Service"], "fieldChoices">,
  { hidden }: Pick<Properties["Service"], "hidden">
): HiddenFields => {
  const isHidden = (field: ColumnField) => isHiding(visibilityOf(field, fieldChoices(field.id)))
  const hasColumn: HiddenFields["hasColumn"] = (view, column) =>
    columnsOf(view).some((field) => field.column.name === column && isHidden(field))
  return {
    hasColumn,
    hasProperty: (sites, event, key) =>
      // A property of an event would say which events there are.
      (event !== null && hasColumn("v_pa_events", "event_name")) ||
      hidden(sites, "event").some(
        (one) => one.key === key && (event === null || one.event === event || one.event === ANY_EVENT)
      ),
    hasAttribute: (sites, key) => hidden(sites, "visitor").some((one) => one.key === key),
    keys: (sites, owner) => [...new Set(hidden(sites, owner).map(({ key }) => key))]
  }
}
