"""Runs a program under a seccomp profile as container runtimes read it: under_seccomp.py PROFILE.json PROGRAM [ARGUMENT...]

Needs Debian's python3-seccomp. Without it, and with --check as the only argument, it ends with 1.
"""

import json
import os
import sys

import seccomp

if sys.argv[1:] == ["--check"]:
    sys.exit(0)

with open(sys.argv[1]) as file:
    profile = json.load(file)


def action(rule, what, errno):
    if rule[what] == "SCMP_ACT_ALLOW":
        return seccomp.ALLOW
    assert rule[what] == "SCMP_ACT_ERRNO", rule[what]
    return seccomp.ERRNO(rule[errno])


def argument(rule):
    if rule["op"] == "SCMP_CMP_EQ":
        return seccomp.Arg(rule["index"], seccomp.EQ, rule["value"])
    assert rule["op"] == "SCMP_CMP_MASKED_EQ", rule["op"]
    return seccomp.Arg(rule["index"], seccomp.MASKED_EQ, rule["value"], rule["valueTwo"])


# Sets no_new_privs, as allowPrivilegeEscalation: false does.
rules = seccomp.SyscallFilter(action(profile, "defaultAction", "defaultErrnoRet"))
for rule in profile["syscalls"]:
    for name in rule["names"]:
        # A name that this kind of processor does not have is an error here; runtimes pass over it.
        rules.add_rule(action(rule, "action", "errnoRet"), name, *map(argument, rule.get("args", [])))
rules.load()
os.execvp(sys.argv[2], sys.argv[2:])
