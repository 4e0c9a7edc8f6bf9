import type { UserLink } from "../../ports/Users.ts"
import type { LinkJson } from "./json/user.ts"

/** The pages that links lead to. */
export const LINK_PATHS = { invitation: "/invitation", reset: "/reset-password" } as const

export const SETUP_PATH = "/setup"

/** Where single sign-on begins, and where the identity provider sends the browser back to. */
export const SIGN_ON_PATH = "/auth/sso"
export const SIGN_ON_CALLBACK_PATH = "/auth/sso/callback"

/** Where the identity provider sends a browser to that has signed out there. */
export const SIGNED_OUT_PATH = "/auth/sso/signed-out"

/** A link's address at a server, with or without a slash at its end. */
export const linkUrl = (server: string, { kind, token }: Pick<UserLink, "kind" | "token">): string =>
  `${server.replace(/\/+$/, "")}${LINK_PATHS[kind]}?token=${token}`

export const setupUrl = (server: string, token: string): string =>
  `${server.replace(/\/+$/, "")}${SETUP_PATH}?token=${token}`

export const linkJson = (link: UserLink, server: string): LinkJson => ({
  kind: link.kind,
  url: linkUrl(server, link),
  expires_at: link.expiresAt.toISOString()
})
