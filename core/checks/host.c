/* Check: the Kong of this host, where there is one. Nodes may run anywhere: what is not here says nothing. */
#include "core/checks/look.h"

#include "core/base/ascii.h"
#include "core/base/child.h"
#include "core/base/mem.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPENRESTY_1_3 "1.15.8.1"
#define KONG_MODULE "ngx_http_lua_kong_module"
#define BINARY_LIMIT (256L << 20)
#define VERSION_SHOWN 24

/* Where Kong looks for it, but for PATH: an nginx there is any nginx (kong/cmd/utils/nginx_signals.lua). */
static const char *const binaries[] = {"/usr/local/openresty/nginx/sbin/nginx", "/opt/openresty/nginx/sbin/nginx"};

/* What starts a packaged Kong. */
static const char *const units[] = {
    "/etc/systemd/system/kong.service", "/etc/systemd/system/kong.service.d/override.conf", "/lib/systemd/system/kong.service",
    "/usr/lib/systemd/system/kong.service", "/etc/default/kong", "/etc/init.d/kong",
};

/* Where Debian's package manager keeps the list of an installed package's files, and where RPM its database. */
static const char deb_list[] = "/var/lib/dpkg/info/kong-community-edition.list", rpm_folder[] = "/var/lib/rpm";

#define RPM_MS 3000

struct text {
    char *bytes;   /* mapped; not NUL-terminated */
    size_t length;
};

static bool map_file(const char *root, const char *path, struct text *text)
{
    struct stat status;
    char *full = mem_printf("%s%s", root, path);
    int fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    void *bytes = MAP_FAILED;
    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 && status.st_size <= BINARY_LIMIT)
        bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (fd >= 0)
        close(fd);
    free(full);
    if (bytes == MAP_FAILED)
        return false;
    *text = (struct text){bytes, (size_t)status.st_size};
    return true;
}

static bool has(const struct text *text, const char *part)
{
    return memmem(text->bytes, text->length, part, strlen(part)) != NULL;
}

/* The binary names itself, as `nginx -v` prints it; it need not be run for that. */
static bool find_version(const struct text *text, char version[VERSION_SHOWN])
{
    static const char name[] = "openresty/";
    const char *end = text->bytes + text->length;
    for (const char *at = text->bytes; (at = memmem(at, (size_t)(end - at), name, strlen(name))) != NULL; at++) {
        size_t length = 0;
        for (const char *c = at + strlen(name); c < end && length + 1 < VERSION_SHOWN && (ascii_is_digit(*c) || *c == '.'); c++)
            version[length++] = *c;
        version[length] = '\0';
        if (length > 0)
            return true;
    }
    return false;
}

static void tell_binary(struct check_result *result, const char *path, const char *version, bool has_module)
{
    if (strcmp(version, OPENRESTY_1_3) != 0) {
        look_found(result, CHECK_INFORMS, "OpenResty %s is installed here (%s): Kong 1.3 runs on %s alone", version, path, OPENRESTY_1_3);
        look_remedy(result, "%s -V  # shall name openresty/" OPENRESTY_1_3 " and lua-kong-nginx-module where a node of 1.3 runs", path);
    } else if (!has_module) {
        look_found(result, CHECK_WARNS, "OpenResty %s is installed here (%s), but without lua-kong-nginx-module: neither nodes of 1.3 nor `kong migrations`"
                   " of 1.3 work with it", version, path);
        look_remedy(result, "# Kong 1.3's package brings an OpenResty that has it; or build it in: --add-module=.../lua-kong-nginx-module");
    } else {
        look_note(result, "OpenResty %s with lua-kong-nginx-module is installed here (%s)", version, path);
    }
}

static void look_at_units(const char *root, struct check_result *result)
{
    struct text text;
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (!map_file(root, units[i], &text))
            continue;
        if (has(&text, "--nginx-conf")) {
            look_found(result, CHECK_INFORMS, "%s starts Kong with a template of its own (--nginx-conf): 1.0 and 1.3 changed the one that it was made from", units[i]);
            look_remedy(result, "grep -n -e --nginx-conf %s  # that file, against kong/templates/nginx_kong.lua of 1.3", units[i]);
        }
        munmap(text.bytes, text.length);
    }
}

/* 1.2 and later are packaged as `kong`; whoever upgrades the old name stays where they are. */
static void look_at_package(const char *root, struct check_result *result)
{
    static const char *const ask_rpm[] = {"rpm", "-q", "kong-community-edition", NULL};
    char *list = mem_printf("%s%s", root, deb_list);
    bool deb = access(list, F_OK) == 0, rpm = root[0] == '\0' && access(rpm_folder, F_OK) == 0 && child_run(ask_rpm, RPM_MS, NULL);
    if (deb || rpm) {
        look_found(result, CHECK_INFORMS, "the package kong-community-edition is installed here: since 1.2 it is called kong, so that an update of the old one brings no 1.3");
        look_remedy(result, deb ? "dpkg -l 'kong*'  # a new node has kong 1.3 instead" : "rpm -qa 'kong*'  # a new node has kong 1.3 instead");
    }
    free(list);
}

void look_host_under(const char *root, struct check_result *result)
{
    struct text text;
    char version[VERSION_SHOWN];
    for (size_t i = 0; i < COUNT_OF(binaries); i++) {
        if (!map_file(root, binaries[i], &text))
            continue;
        if (find_version(&text, version))
            tell_binary(result, binaries[i], version, has(&text, KONG_MODULE));
        munmap(text.bytes, text.length);
    }
    look_at_units(root, result);
    look_at_package(root, result);
    if (result->evidence.count == 0)
        look_note(result, "no OpenResty on this host, where Kong would look for it");
}

static void look_host(const struct check_subject *subject, struct check_result *result)
{
    (void)subject;
    look_host_under("", result);
}

const struct check check_host = {
    .id = "openresty", .title = "Kong of this host", .severity = CHECK_INFORMS, .reach = CHECK_HOST, .look = look_host,
    .why = "Kong 1.3 needs another OpenResty than the releases before it, with a module of its own, and its Nginx template has changed. This is about "
           "the host that you are on: an old node's is right as it is, a new node's is not. Other hosts are not looked at.",
    .source = "the upgrade guide, 1.3; Kong's changelog, 1.2.0; kong/meta.lua and kong/cmd/utils/nginx_signals.lua at 1.3.0",
};
