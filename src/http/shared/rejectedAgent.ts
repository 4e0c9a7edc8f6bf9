/** What to do about a user agent that is often rejected as a bot. */
export const REJECTED_AGENT_HINT =
  "If this is an app or a server of yours, send a browser's user agent, or `Mozilla/5.0 (Server)` from a server; DISABLE_BOT_CHECK stores events from all agents. Nothing to do if it is a crawler."
