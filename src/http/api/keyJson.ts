import type { AdminKey } from "../../ports/AdminKeys.ts"

/** A key as the API and the command line show it. */
export const keyJson = (key: AdminKey) => ({
  id: key.id,
  name: key.name,
  role: key.role,
  prefix: key.prefix,
  created_at: key.createdAt.toISOString()
})
