/** The version of both programs: told in `runner.hello`, in its answer, and by `version`. */
export const VERSION = "0.1.0";
