import type { Settings } from "../../ports/Settings.ts"
import { PORT, PUBLIC_URL } from "../../settings/settings.ts"

/**
 * This server's address as browsers see it: `PUBLIC_URL`, or else this machine. With `PORT=0` only the request shows which port
 * the server listens on, so then it is `requestOrigin`, unless that is null.
 */
export const publicUrl = ({ get }: Settings["Service"], requestOrigin: string | null): string => {
  const port = get(PORT)
  return get(PUBLIC_URL) ?? (port === 0 && requestOrigin !== null ? requestOrigin : `http://localhost:${port}`)
}
