/** Exit code of a process that cannot start with its configuration. Supervisors do not restart it. */
export const REFUSED_TO_START = 2
