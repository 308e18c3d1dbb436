/** Figures that both cluster engines share. */

/** Objects are born to live four weeks: results must outlive a control plane that is away. */
export const BORN_TTL_SECONDS = 28 * 86_400;
/** The cron controllers keep every run; what goes, goes by its time to live. */
export const HISTORY_LIMIT = 1_000_000;
/** How late a slot may still be minted, seconds: enough for an API server's restart, less than any schedule's pause. */
export const STARTING_DEADLINE_SECONDS = 30;
