/** What `hybrid-runner help` prints. */

export const USAGE = `hybrid-runner: runs a catalogue's ingestion jobs inside your network

usage: hybrid-runner [COMMAND]

commands
  run       the agent (default): dials SERVER_URL and carries out what it is asked for
  resolve   in the ingestion pod: turns secret references into values (--help says more)
  plan      what a job would become in the cluster, without touching it (--help says more)
  version   prints the version
  help      prints this

Settings come from the environment: AGENT_ID, SERVER_URL and AUTH_TOKEN (or AUTH_TOKEN_FILE) are needed; what is wrong
with them is told all at once.

exit codes
  0  done
  1  a defect of the program
  2  wrong usage or settings
  3  cannot start: a port or a state folder is in use
`;
