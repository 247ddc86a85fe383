/* Kong's own command as a job for a worker: what is run, and what it needs. */
#include "core/kong_run.h"

#include "core/base/child.h"
#include "core/base/mem.h"
#include "core/conf/conf_copy.h"
#include "core/hook.h"
#include "core/kong_binary.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct kong_task tasks[] = {
    {"up", {"migrations", "up"}, false}, {"finish", {"migrations", "finish"}, false}, {"bootstrap", {"migrations", "bootstrap"}, false},
    {KONG_CUSTOM_UP, {"migrations", "up"}, true}, {KONG_CUSTOM_FINISH, {"migrations", "finish"}, true}, {KONG_START, {"start", NULL}, false},
};

const struct kong_task *kong_task_find(const char *command)
{
    for (size_t i = 0; i < COUNT_OF(tasks); i++)
        if (strcmp(tasks[i].command, command) == 0)
            return &tasks[i];
    return NULL;
}

bool kong_job_make(struct run_job *job, const struct fleet *fleet, const char *conf_file, struct error *error)
{
    struct kong_binary binary;
    kong_binary_find(fleet, &binary);
    if (binary.path == NULL) {
        error_set(error, ERROR_CONFIG, "%s", binary.problem);
        kong_binary_free(&binary);
        return false;
    }
    char *folder = journal_folder(job->datastore, true, error);
    job->kong_conf = folder != NULL ? conf_copy_make(conf_file, environ, folder, error) : NULL;
    free(folder);
    if (job->kong_conf != NULL) {
        job->kong = mem_dup(binary.path);
        job->kong_deadline = fleet_kong_deadline(fleet);
        job->environment = hook_environment(fleet);
    }
    kong_binary_free(&binary);
    return job->kong_conf != NULL;
}

void kong_job_free(struct run_job *job, bool started)
{
    if (job->kong_conf != NULL && !started)
        unlink(job->kong_conf);
    if (job->environment != NULL)
        child_free_environment(job->environment);
    free(job->kong);
    free(job->kong_conf);
    job->environment = NULL;
    job->kong = job->kong_conf = NULL;
}

char *kong_command_text(const char *command, const char *binary, const char *conf_file)
{
    const struct kong_task *task = kong_task_find(command);
    return mem_printf("%s %s%s%s%s%s", binary != NULL ? binary : "kong", task->words[0], task->words[1] != NULL ? " " : "",
                      task->words[1] != NULL ? task->words[1] : "", conf_file != NULL ? " -c " : "", conf_file != NULL ? conf_file : "");
}
