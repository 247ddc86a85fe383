/*
 * An sshd of the test's own on loopback, for the user who runs the tests: its host key, its configuration, the key that may log in
 * are all in the harness' folder. Between it and a client there can be a proxy, which can fall silent as a broken network does.
 *
 * A failure here fails the test in hand.
 */
#ifndef TESTS_SSH_SSHD_H
#define TESTS_SSH_SSHD_H

#include <stdbool.h>
#include <sys/types.h>

bool sshd_is_there(void);   /* and can serve this user: has a shell, gets a terminal */
void sshd_start(void);
void sshd_stop(void);
int sshd_port(void);

/* The arguments of an ssh that logs in through `port` and runs the command in a terminal. The harness' memory. */
const char *const *sshd_login(int port, const char *command);

/* A proxy for one client; returns its port. Silent: it takes and passes on nothing more, and closes nothing. */
int sshd_proxy_start(void);
void sshd_proxy_silence(void);
void sshd_proxy_stop(void);

/* The sshd that serves the session in which `pid` runs; 0: none. */
pid_t sshd_session_of(pid_t pid);

/* Processes, by /proc. A process that has ended, but whose end nobody has asked for, is not alive. */
bool process_alive(pid_t pid);
double process_seconds(pid_t pid);                             /* of processor time so far */
pid_t process_find(const char *program, const char *argument); /* the one that runs it with that argument; 0: none */

#endif
