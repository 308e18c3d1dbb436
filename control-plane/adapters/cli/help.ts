/** The text of --help, exit codes included. */

export const HELP = `hybrid-control-plane: the self-hosted control plane of the Hybrid Ingestion Runner

Usage
  hybrid-control-plane serve [options]          serve runners, REST and the web page
  hybrid-control-plane token issue --agent ID [--days 365]
                                                print a token for a runner
  hybrid-control-plane token issue --operator NAME [--days 365]
                                                print a token for REST and the web page
  hybrid-control-plane token list [--json]      every token that was issued, without the tokens themselves
  hybrid-control-plane token revoke JTI         refuse a token, on live connections too; also one that is not listed
  hybrid-control-plane token rotate             sign with a new key from now on; older keys stay valid until their
                                                files are removed from DIR/keys
  hybrid-control-plane backup FILE              write a copy of the database, also while serving
  hybrid-control-plane restore FILE             put a backup in the database's place; the server must not run. Runners
                                                are then asked for everything they still have. All tokens of the replaced
                                                database go along; what was revoked stays revoked
  hybrid-control-plane version | help

Options
  --data DIR               where database and keys live; it must exist. Default ./control-plane-data, made on first use
  --listen HOST:PORT       default 127.0.0.1:8586; port 0 takes a free one, and prints it
  --heartbeat-seconds N    default 15; a runner is given up after two intervals of silence
  --open-on-loopback       no sign-in for REST and the web page; only with a loopback HOST
  --tls-cert FILE          PEM; with --tls-key FILE
  --log-level LEVEL        debug, info (default), warn, error

Exit codes
  0  done, or stopped by SIGTERM or SIGINT
  1  something else failed
  2  the command line is wrong
  3  the data folder or its database cannot be used: no such folder, not writable, corrupt, newer than this program,
     or in use by another process
  4  the address cannot be listened on, for instance because the port is in use
`;
