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

/** One process at a time deletes expired sessions, links and entries of the audit log. */
export const PEOPLE_JOB_LOCK = 4_067_180_232

/** One transaction at a time changes saved questions, dashboards, segments, cohorts and collections, so that their references stay valid. */
export const CONTENT_LOCK = 4_067_180_240

/** One transaction at a time adds to the registry of properties: its limits hold, and no two of them wait for each other. */
export const PROPERTY_LOCK = 4_067_180_250

/** One process at a time reads the fields' values for their fingerprints and lists. */
export const FIELD_SCAN_LOCK = 4_067_180_251

/** One process at a time deletes the data of a site. */
export const SITE_DATA_LOCK = 4_067_180_260
