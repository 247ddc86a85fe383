/* What the files that lead the dialogue by answers share: answers_drive.c (the steps), answers_divert.c (the traffic). */
#ifndef SCREENS_ANSWERS_INTERNAL_H
#define SCREENS_ANSWERS_INTERNAL_H

#include "screens/answers.h"

/* Ends, with a sentence: it is said once all that was told is written. */
void answers_stop(struct wizard *wizard, int exit_code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* What is said now, and what its dialog is answered. Ended by NULL. */
void answers_will_say(struct answers *answers, ...) __attribute__((sentinel));

/* On that step's screen; else goes there, and is not yet. */
bool answers_is_at(struct answers *answers, const struct wizard *wizard, enum step step);

/* Waiting for a step's gate, or for what else must be so before. False once its time is over. */
bool answers_may_wait(struct answers *answers, enum step step);

/* True: the gate is open. Else it is waited for, so long as it may; then it is overruled, or what it says ends it. */
bool answers_pass(struct answers *answers, struct wizard *wizard, enum step step);

/* All traffic is the new cluster's, and has been for long enough. */
bool answers_are_diverted(struct answers *answers, struct wizard *wizard);

#endif
