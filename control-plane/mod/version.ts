/** The control plane's own version, told in `runner.hello`'s answer and by `version`. */
export const VERSION = "0.1.0";
