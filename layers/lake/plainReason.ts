import type { IcebergError } from "../iceberg/IcebergError.ts"

/** What Iceberg's reasons mean outside of it: `Unavailable` may work on a retry, the others need someone to act. */
const PLAIN_REASONS = {
  NotFound: "Invalid",
  AlreadyExists: "Invalid",
  Invalid: "Invalid",
  Denied: "Denied",
  Conflict: "Unavailable",
  Unknown: "Unavailable",
  Unavailable: "Unavailable"
} as const satisfies Record<IcebergError["reason"], string>

export const plainReason = ({ reason }: IcebergError): "Unavailable" | "Denied" | "Invalid" => PLAIN_REASONS[reason]
