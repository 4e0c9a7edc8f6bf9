import { version } from "../../package.json"

/** Footfall's version, from package.json. */
export const VERSION: string = version
