import { Layer } from "effect"
import type { AdminKeys } from "../../../ports/AdminKeys.ts"
import type { AuditLog } from "../../../ports/AuditLog.ts"
import type { Groups } from "../../../ports/Groups.ts"
import type { LocalCommands } from "../../../ports/LocalCommands.ts"
import type { LoginLimits } from "../../../ports/LoginLimits.ts"
import type { Passwords } from "../../../ports/Passwords.ts"
import type { Setup } from "../../../ports/Setup.ts"
import type { SingleSignOn } from "../../../ports/SingleSignOn.ts"
import type { UserSessions } from "../../../ports/UserSessions.ts"
import type { Users } from "../../../ports/Users.ts"
import { AuditHandlers } from "../audit/handlers.ts"
import { KeysHandlers } from "../keys/handlers.ts"
import { LicenseHandlers } from "../license/handlers.ts"
import { PermissionsHandlers } from "../permissions/handlers.ts"
import { SessionHandlers } from "../session/handlers.ts"
import { SetupHandlers } from "../setup/handlers.ts"
import { UserHandlers } from "../user/handlers.ts"

/** What is needed to know who makes a request, and to manage who may. */
export type PeopleServices =
  | AdminKeys
  | AuditLog
  | Groups
  | LocalCommands
  | LoginLimits
  | Passwords
  | Setup
  | SingleSignOn
  | UserSessions
  | Users

/** The resources about people: who may use the instance, and what they may do. */
export const peopleHandlers = Layer.mergeAll(
  AuditHandlers,
  KeysHandlers,
  LicenseHandlers,
  PermissionsHandlers,
  SessionHandlers,
  SetupHandlers,
  UserHandlers
)
