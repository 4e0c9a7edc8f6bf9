/** Seconds a connection may be silent; above the 60 to 75 s that proxies keep theirs, so that the proxy closes first. */
export const IDLE_TIMEOUT_SECONDS = 120
