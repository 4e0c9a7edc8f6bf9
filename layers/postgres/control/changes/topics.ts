/** What may change while a process runs. Each is a small table, and the payload of its trigger's notifications. */
export const TOPICS = ["sites", "settings", "keys"] as const
export type Topic = (typeof TOPICS)[number]
