/** Without port and `www.`, in lower case. As `normalHost` of `src/query/channel`, which compares the same hosts in SQL. */
const normalHost = (host: string): string =>
  host
    .toLowerCase()
    .replace(/:\d*$/, "")
    .replace(/^www\./, "")

/** Whether two hosts, in ASCII form, are the same site. */
export const isSameHost = (a: string, b: string): boolean => a === b || normalHost(a) === normalHost(b)
