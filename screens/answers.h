/*
 * Answers from a file: `--answers FILE` leads the dialogue (dialogue.h) through a whole upgrade with nobody there. The file says what an
 * operator would have said; each answer passes the same dialogs, gates and checks as if it were typed. What it does not answer and is
 * needed stops the upgrade where it stands, with a sentence: nothing is lost, and the next start, with or without a file, goes on.
 *
 *     [preflight]
 *     acknowledge = router, behaviour         ids of checks that warn, as `kong-upgrade check` names them; may stand several times
 *     [up]
 *     backup = /var/backups/kong             a folder: a backup is made there first, unless one is less than an hour old;
 *                                            another: there is another backup
 *     [provision]
 *     hook = yes                             the provision hook of fleet.ini starts the new nodes; else somebody else does
 *     wait = 600                             seconds until all new nodes must be ready
 *     [divert]
 *     percent = 1 5 25 50 100                moved by the divert hook, stage by stage; without: by somebody else
 *     pause = 60                             seconds at each stage
 *     worse = back                           where the new cluster answers worse (error rate, latency): back to 0 % and stop (back), stop
 *                                            as it is (stop), or go on (ignore)
 *     [decommission]
 *     hook = yes                             the decommission hook stops the old nodes, one by one; else somebody else does
 *     [finish]
 *     confirm = kong                         the database's name, in full: without it the upgrade stops before step 5
 *     [done]
 *     report = /root/report.md               a new file that the report is written into
 *
 * In each section of a step, `wait` is how many seconds its gate may stay shut (default 600), and `overrule = yes` opens a gate that can
 * be overruled once that time is over. One setting a line, as in fleet.ini; unknown ones are refused with the line.
 *
 * Exit codes: 0 done · 7 stopped: a gate, a check, or a question without an answer · 10 and others: as the run that stopped · 1 error.
 */
#ifndef SCREENS_ANSWERS_H
#define SCREENS_ANSWERS_H

#include "core/base/error.h"
#include "core/upgrade.h"
#include "screens/dialogue.h"

#define ANSWERS_WAIT_S 600
#define ANSWERS_STAGES 8

enum answers_worse { WORSE_BACK, WORSE_STOP, WORSE_IGNORE };

struct answers {
    struct names acknowledged;
    bool overrule[STEPS], hook[STEPS];
    int wait_s[STEPS];
    char *backup;                /* a folder, "another", or NULL */
    int percents[ANSWERS_STAGES];
    size_t percent_count;
    int pause_s;                 /* < 0: not said: fleet.ini's */
    enum answers_worse worse;
    char *confirm, *report;      /* NULL: none */

    /* How far it is. */
    struct names lines;          /* still to be said to the dialog that the first one opens */
    size_t next_line;
    enum step waits;             /* for this step's gate, … */
    int64_t waits_since;         /* … since then; 0: it does not */
    int64_t begun_at;            /* the first look was waited for since then; 0: not yet */
    bool run_begun, backs_up;    /* a run, or a backup, was begun from here, and how it ended was not looked at yet */
    bool provisioned, reported;
    struct names stopped;        /* old nodes whose hook was run */
    char *stopped_by;            /* why it ends before the upgrade does; NULL: nothing stops it */
    char *retreat;               /* traffic was moved back, and why; NULL: it was not */
    int64_t line_at;             /* when something was said last */
    int64_t message_until;       /* of the last message that was looked at */
};

/* False and an error, with the file and the line. Free with answers_free. */
bool answers_load(struct answers *answers, const char *path, struct error *error);
void answers_free(struct answers *answers);

/* Says the next thing that is to be said, if the dialogue waits for it. */
void answers_go_on(struct answers *answers, struct wizard *wizard, struct dialogue *dialogue);

#endif
