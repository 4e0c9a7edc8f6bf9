/*
 * Every advisory lock that Footfall takes in the app database, and what each protects. The numbers are arbitrary, but all processes of
 * an instance must agree on them: a released number keeps its meaning.
 */

/** One process at a time migrates the database. */
export const MIGRATION_LOCK = 4_067_180_227

/** One transaction at a time creates or attaches a partition. The function `product_analytics_ensure_month` of migration 0002 takes it, too. */
export const PARTITION_LOCK = 4_067_180_228

/** One process at a time maintains the partitions. */
export const PARTITION_JOB_LOCK = 4_067_180_229

/** One process at a time maintains the lake. */
export const LAKE_JOB_LOCK = 4_067_180_230

/** One process at a time checks whether the first admin key exists, and creates it if not. */
export const FIRST_KEY_LOCK = 4_067_180_231
