/*
 * Whether a worker outlives the login session that it is started from. systemd-logind may end all processes of a session when its user
 * logs out (KillUserProcesses=, logind.conf(5)), and what runs under the user's own systemd ends with the user's last session unless
 * the user lingers (loginctl(1)). Then a worker is started outside of the session, in a scope of its own (systemd-run(1)); where that
 * does not help either, the operator has to know before.
 */
#ifndef CORE_LINGER_H
#define CORE_LINGER_H

enum lingers {
    LINGER_STAYS,   /* nothing ends the worker at logout */
    LINGER_SCOPE,   /* nothing does once it is started through systemd-run */
    LINGER_ENDS,    /* it ends with the session */
};

/* What is to be known where a worker would end: a sentence or two. */
extern const char linger_warning[];

/* Put before every path; "" but in tests. */
extern const char *linger_root;

/* `user`: NULL for who we are. Asks loginctl and tries systemd-run, which takes up to some seconds: call it off the event loop. */
enum lingers linger_find(const char *user);

/* Fills the arguments that start `program worker`, ended by NULL; arguments[0] is to be found by PATH for LINGER_SCOPE, and is only a
 * name otherwise. Nothing is owned. */
#define LINGER_ARGUMENTS 8
void linger_command(enum lingers linger, const char *user, const char *program, const char *arguments[LINGER_ARGUMENTS]);

#endif
