import { ENABLE_PASSWORD_LOGIN } from "./people.ts"
import { OIDC_CLIENT_ID, OIDC_ISSUER } from "./singleSignOn.ts"
import type { GetSetting } from "./startProblems.ts"

const hasProvider = (get: GetSetting): boolean => get(OIDC_ISSUER) !== null && get(OIDC_CLIENT_ID) !== null

/** Whether users may sign in with passwords. Without an identity provider they always may, so that no one is locked out. */
export const isPasswordLoginOn = (get: GetSetting): boolean => get(ENABLE_PASSWORD_LOGIN) || !hasProvider(get)

/** Why passwords cannot be turned off; null if they can, or are not. */
export const passwordLoginProblem = (get: GetSetting): string | null =>
  get(ENABLE_PASSWORD_LOGIN) || hasProvider(get)
    ? null
    : `${ENABLE_PASSWORD_LOGIN.env} is off, which requires ${OIDC_ISSUER.env} and ${OIDC_CLIENT_ID.env}: without them, no one could sign in. Set both, or turn ${ENABLE_PASSWORD_LOGIN.env} on.`
