import { VERSION } from "../../src/lib/version.ts"

/** The writer's name in the footer of every Parquet file. */
export const CREATED_BY = `footfall version ${VERSION}`
