/** The version of both programs. */
export const VERSION = "0.1.0";
