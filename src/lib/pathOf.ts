/** A request's path. Without a valid `Host`, Bun's URL is only the path, with the query. */
export const pathOf = ({ url }: Request): string => URL.parse(url, "http://localhost")?.pathname ?? "/"
