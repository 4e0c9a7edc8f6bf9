/** A path below `base` (`BASE_PATH`), without it; null for a path that is not below it. Compared literally. */
export const pathBelow = (base: string | null, path: string): string | null => {
  if (base === null) return path
  if (path === base) return "/"
  return path.startsWith(`${base}/`) ? path.slice(base.length) : null
}

/** A server's URL with the base path, unless it ends with it already; without a trailing slash. */
export const withBasePath = (url: string, base: string | null): string => {
  const plain = url.replace(/\/+$/, "")
  return base === null || new URL(plain).pathname.endsWith(base) ? plain : plain + base
}
