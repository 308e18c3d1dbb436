/**
 * Lines that are not the job's: Argo's executor runs the job as its child and writes into the same output (3.7:
 * `time="…" level=info msg="sub-process exited" argo=true`, then `Error: exit status 3`). `argo logs` leaves them out too.
 */

/** How many lines of the job's own may come between the executor's last two: what had no newline is flushed late. */
const BETWEEN = 3;
const TEXT = /^time="[^"]*" level=\w+ msg="(?:[^"\\]|\\.)*" argo=true(?: |$)/;
const JSON_TEXT = /^\{.*"argo":\s*true[,}]/;
const EXIT = /^Error: exit status \d+$/;

/** Tells for each line of one log, in their order, whether it is the executor's. */
export function createExecutorLines(): (line: string) => boolean {
  let left = 0;
  return (line) => {
    // Every line of every log passes here: most are told by their first character.
    if ((line.startsWith('time="') && TEXT.test(line)) || (line.startsWith("{") && JSON_TEXT.test(line))) {
      left = BETWEEN;
      return true;
    }
    return left > 0 && left-- > 0 && EXIT.test(line);
  };
}
