#include "core/kong_binary.h"

#include "core/base/ascii.h"
#include "core/base/child.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERSION_SIZE 32

static const char *const places[] = {"/usr/local/bin/kong", "/usr/bin/kong", "/opt/kong/bin/kong"};

static char *look_for(void)
{
    char *path = child_find("kong");
    if (path != NULL && path[0] != '/') {   /* PATH may name folders that begin where we stand */
        free(path);
        path = NULL;
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0] && path == NULL; i++)
        path = child_find(places[i]);
    return path;
}

/* "1.3.0" of "1.3.0\n": the first word, where it is digits and points, and perhaps a candidate's name. The caller frees. */
static char *version_of(const char *said)
{
    size_t length = strspn(said, "0123456789.");
    length += strspn(said + length, "abcdefghijklmnopqrstuvwxyz0123456789-");
    bool whole = length > 0 && length < VERSION_SIZE && ascii_is_digit(said[0]) && (said[length] == '\0' || ascii_is_space(said[length]));
    return whole ? mem_ndup(said, length) : NULL;
}

static bool is_1_3(const char *version)
{
    return strncmp(version, "1.3", 3) == 0 && !ascii_is_digit(version[3]);
}

static char *ask_version(const char *path)
{
    const char *const arguments[] = {path, "version", NULL};
    struct buf said = {0};
    char *version = child_run(arguments, KONG_VERSION_MS, &said) ? version_of(buf_text(&said)) : NULL;
    buf_free(&said);
    return version;
}

static void give_up(struct kong_binary *binary, char *problem)
{
    free(binary->path);
    binary->path = NULL;
    binary->problem = problem;
}

void kong_binary_find(const struct fleet *fleet, struct kong_binary *binary)
{
    *binary = (struct kong_binary){.path = fleet->kong_bin != NULL ? mem_dup(fleet->kong_bin) : look_for()};
    if (binary->path == NULL) {
        binary->problem = mem_dup("no kong command was found on this machine: name it in fleet.ini, [kong] bin = PATH");
        return;
    }
    if (access(binary->path, X_OK) != 0) {
        give_up(binary, mem_printf("%s, which fleet.ini names in [kong] bin, is not there, or not executable by this user", binary->path));
        return;
    }
    binary->version = ask_version(binary->path);
    if (binary->version == NULL)
        give_up(binary, mem_printf("`%s version` did not say a version within %d s: see what is wrong with it, or name another in fleet.ini, [kong] bin",
                                   binary->path, KONG_VERSION_MS / 1000));
    else if (!is_1_3(binary->version))
        give_up(binary, mem_printf("%s is Kong %s, and a 1.3 is needed: name it in fleet.ini, [kong] bin = PATH", binary->path, binary->version));
}

void kong_binary_copy(struct kong_binary *to, const struct kong_binary *from)
{
    *to = (struct kong_binary){mem_dup(from->path), mem_dup(from->version), mem_dup(from->problem)};
}

void kong_binary_free(struct kong_binary *binary)
{
    free(binary->path);
    free(binary->version);
    free(binary->problem);
    *binary = (struct kong_binary){0};
}
