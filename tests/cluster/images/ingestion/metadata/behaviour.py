"""Does what the document's own member `test` says; everything else in it is what the document is really about.

    print        lines to print, one after the other
    every        seconds between them
    digests      dotted paths of values whose SHA-256 is printed: proof that a secret came, without telling it
    sleep        seconds to go on before the end; SIGTERM ends it with 143
    termination  the text of the termination message
    exit         the exit code
"""
import hashlib
import json
import os
import signal
import sys
import time


def behave(entry, kind):
    text = os.environ.get("config")
    if not text:
        raise RuntimeError("Missing environment variable `config`. This is needed to configure the workflow.")
    # JSON is what the suite writes, and YAML that PyYAML would read alike.
    document = json.loads(text)
    wish = document.get("test", {})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with open("/proc/self/environ", "rb") as environ:
        began_with = {entry.split(b"=", 1)[0].decode() for entry in environ.read().split(b"\0") if entry}
    say("entry", entry)
    say("pipelineType", kind)
    say("pipelineRunId", os.environ.get("pipelineRunId", ""))
    say("cwd", os.getcwd())
    say("document", f"{len(text)} characters")
    say("document in /proc/self/environ", "yes" if "config" in began_with else "no")
    say("token mounted", "yes" if os.path.exists("/var/run/secrets/kubernetes.io/serviceaccount/token") else "no")
    for path in wish.get("digests", []):
        say(path, hashlib.sha256(at(document, path).encode()).hexdigest())
    for line in wish.get("print", []):
        print(line, flush=True)
        time.sleep(wish.get("every", 0))
    time.sleep(wish.get("sleep", 0))
    if "termination" in wish:
        with open(os.environ.get("HYBRID_RUNNER_TERMINATION_LOG", "/dev/termination-log"), "w") as log:
            log.write(wish["termination"])
    sys.exit(wish.get("exit", 0))


def at(document, path):
    for part in path.split("."):
        document = document[part]
    return document


def say(what, value):
    print(f"{what}: {value}", flush=True)
