/** What may change while a process runs. Each is the payload of its triggers' notifications. */
export const TOPICS = ["sites", "settings", "keys", "people", "metadata"] as const
export type Topic = (typeof TOPICS)[number]
