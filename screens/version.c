#include "screens/version.h"

#include "screens/say.h"
#include "tui/terminal.h"

#include <curl/curl.h>
#include <jansson.h>
#include <libpq-fe.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <uv.h>

/* From 10 on a version is two numbers, 150018 is 15.18. */
static void say_libpq(void)
{
    int version = PQlibVersion();
    say("libpq %d.%d\n", version / 10000, version % 10000);
}

void version_say(void)
{
    char pcre2[64] = "";   /* "10.42 2022-12-11" */
    pcre2_config(PCRE2_CONFIG_VERSION, pcre2);
    say("kong-upgrade " KONG_UPGRADE_VERSION "\n");
    say_libpq();
    say("%s\n", terminal_library());
    say("libuv %s\n", uv_version_string());
    say("%s\n", curl_version());   /* with its TLS library and the others: what it can do depends on them */
    say("jansson %s\n", jansson_version_str());
    say("pcre2 %s\n", pcre2);
    say("inih " INIH_VERSION "\n");
}
