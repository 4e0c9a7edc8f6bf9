import { MAIN, type TableMetadata } from "./TableMetadata.ts"
import type { TableRequirement } from "./TableUpdate.ts"

const refOf = (metadata: TableMetadata, name: string): bigint | null => {
  const id =
    metadata.refs?.[name]?.["snapshot-id"] ?? (name === MAIN ? (metadata["current-snapshot-id"] ?? null) : null)
  return id === -1n ? null : id
}

const holds = (metadata: TableMetadata, requirement: TableRequirement): boolean => {
  switch (requirement.type) {
    case "assert-table-uuid":
      return metadata["table-uuid"].toLowerCase() === requirement.uuid.toLowerCase()
    case "assert-ref-snapshot-id":
      return refOf(metadata, requirement.ref) === requirement["snapshot-id"]
    case "assert-last-assigned-field-id":
      return metadata["last-column-id"] === requirement["last-assigned-field-id"]
    case "assert-current-schema-id":
      return metadata["current-schema-id"] === requirement["current-schema-id"]
  }
}

/** The type of the first requirement that does not hold; null if all hold. */
export const failedRequirement = (
  metadata: TableMetadata,
  requirements: ReadonlyArray<TableRequirement>
): string | null => requirements.find((requirement) => !holds(metadata, requirement))?.type ?? null
